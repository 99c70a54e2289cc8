import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { domainXml } from './facts/fact.js';
import { dumpAll, hostdev } from './fleet.js';
import { Lab } from './lab.js';
import type { Result } from './process.js';
import { connect, type RemoteConnection, Tool } from './tool.js';
import { virsh } from './trial.js';

let lab: Lab;
let libvirt: RemoteConnection;
let tool: Tool;
/** Every domain as it was defined; 40 of them can be converted. */
let before: ReadonlyMap<string, string>;

const NAMES = Array.from({ length: 40 }, (_, i) => `vm-${String(i + 1).padStart(2, '0')}`);
const LAST = 'vm-40';
const STATE = ['--state', '/tmp/state'];
const CONVERT = ['convert', '--all', '--sysfs', '/tmp/host/sys', '--force-tcg', '--jobs', '1', '--apply'];

beforeAll(async () => {
  lab = await Lab.start();
  libvirt = await connect(lab, 'qemu:///system');
  tool = await Tool.install(lab);
  for (const name of NAMES) {
    await libvirt.call('define', domainXml({ name, devices: hostdev('31:10.2') }), { validate: false });
  }
  before = await dumpAll(libvirt);
});
afterAll(async () => {
  await libvirt[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await lab.run(['rm', '-rf', '/tmp/state']);
  for (const xml of before.values()) await libvirt.call('define', xml, { validate: false });
  expect(await dumpAll(libvirt)).toEqual(before);
});

const batch = (...args: readonly string[]): Promise<Result> => tool.run(['batch', ...args]);

/** Runs a batch, and calls `disturb` as soon as it has reported five domains. */
async function disturbed(args: readonly string[], disturb: () => Promise<unknown>): Promise<Result> {
  const [program = '', ...rest] = lab.jail.argv([
    'sh',
    '-c',
    'echo $$ >/tmp/pid; exec "$@"',
    'sh',
    tool.path,
    'batch',
    ...args,
  ]);
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let lines = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let disturbing: Promise<unknown> | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout += `${line}\n`;
    if (++lines === 5) disturbing = disturb();
  });
  const [code] = await once(child, 'close');
  await disturbing;
  return { code, stdout, stderr };
}

const uuidOf = async (name: string): Promise<string> => (await virsh(lab, ['domuuid', name])).trim();
const count = (text: string, word: string): number => text.split('\n').filter((line) => line.startsWith(word)).length;

describe('a run that is disturbed', () => {
  it('waits for a libvirtd that is killed and comes back, and converts every domain', async () => {
    const { code, stdout, stderr } = await disturbed([...CONVERT, ...STATE], async () => {
      await lab.run([
        'sh',
        '-c',
        'kill -KILL "$(cat /run/libvirtd.pid)"; sleep 0.5; rm -f /run/libvirtd.pid; libvirtd -d',
      ]);
    });
    expect(code, stderr).toBe(0);
    expect(count(stdout, 'converted')).toBe(40);
  });

  it('reports a domain that was removed, and continues', async () => {
    const uuid = await uuidOf(LAST);
    const { code, stdout } = await disturbed([...CONVERT, ...STATE], () => virsh(lab, ['undefine', '--nvram', uuid]));
    expect(code).toBe(1);
    expect(count(stdout, 'converted')).toBe(39);
    expect(stdout).toMatch(/^failed +vm-40 +the domain no longer exists/m);
    expect(await virsh(lab, ['list', '--all', '--uuid'])).not.toContain(uuid);
  });

  it('converts a domain as it was edited before its turn', async () => {
    const edited = (before.get(LAST) ?? '').replace('</name>', '</name>\n  <title>edited</title>');
    const { code, stdout } = await disturbed([...CONVERT, ...STATE], () =>
      libvirt.call('define', edited, { validate: false }),
    );
    expect(code).toBe(0);
    expect(count(stdout, 'converted')).toBe(40);
    const present = (await dumpAll(libvirt)).get(LAST);
    expect(present).toContain('<title>edited</title>');
    expect(present).toContain("accel='on'");
    await batch('rollback', ...STATE);
    const restored = (await dumpAll(libvirt)).get(LAST);
    expect(restored).toContain('<title>edited</title>');
    expect(restored).not.toContain('accel');
  });

  it('keeps later edits on rollback and reports them, and discards them with --force', async () => {
    await batch(...CONVERT, ...STATE);
    const converted = (await dumpAll(libvirt)).get(LAST) ?? '';
    const edited = converted.replace('</name>', '</name>\n  <title>edited</title>');
    await libvirt.call('define', edited, { validate: false });
    const theirs = (await dumpAll(libvirt)).get(LAST);
    const back = await batch('rollback', ...STATE);
    expect(back.code).toBe(1);
    expect(back.stdout).toMatch(/^refused +vm-40 +the domain was edited since/m);
    expect((await dumpAll(libvirt)).get(LAST)).toBe(theirs);
    expect((await batch('rollback', ...STATE, '--force', LAST)).code).toBe(0);
    expect(await dumpAll(libvirt)).toEqual(before);
  });

  it('stops at Ctrl-C after the current domain, prints the command to resume, and can be resumed', async () => {
    const interrupted = await disturbed([...CONVERT, ...STATE], () =>
      lab.run(['sh', '-c', 'kill -INT $(cat /tmp/pid)']),
    );
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /^vsmmu: to continue: vsmmu batch resume --state \/tmp\/state \d{4}-\d{8}T\d{6}Z$/m,
    );
    const done = count(interrupted.stdout, 'converted');
    expect(done).toBeLessThan(40);
    const resumed = await batch('resume', ...STATE);
    expect(resumed.code).toBe(0);
    expect(count(resumed.stdout, 'converted')).toBe(40 - done);
  });

  it('stops after the first domain that fails with --fail-fast', async () => {
    // A domain late in the list: on a busy machine, removing it takes a while.
    const uuid = await uuidOf('vm-35');
    const { code, stdout } = await disturbed([...CONVERT, ...STATE, '--fail-fast'], () =>
      virsh(lab, ['undefine', '--nvram', uuid]),
    );
    expect(code).toBe(1);
    // The next domain was already in progress.
    expect(stdout.trimEnd().split('\n').slice(-2).join('\n')).toMatch(/^failed +vm-35 /m);
  });

  it('keeps its lock until its last request to libvirt ends, even if it was killed', async () => {
    let killed: Result | undefined;
    const first = await disturbed([...CONVERT, ...STATE], async () => {
      await lab.run(['sh', '-c', 'kill -STOP $(cat /run/libvirtd.pid); sleep 0.5; kill -KILL $(cat /tmp/pid)']);
      killed = await batch('rollback', ...STATE, '--wait', '0');
      await lab.run(['sh', '-c', 'kill -CONT $(cat /run/libvirtd.pid)']);
    });
    expect(first.code).toBeNull();
    expect(killed).toMatchObject({ code: 3, stderr: expect.stringContaining('state-locked') });
    expect((await batch('rollback', ...STATE)).code).toBe(0);
    expect(await dumpAll(libvirt)).toEqual(before);
  });

  it('waits for another running batch, unless an option forbids it', async () => {
    let impatient: Result | undefined;
    let patient: Promise<Result> | undefined;
    const first = await disturbed([...CONVERT, ...STATE], async () => {
      patient = batch(...CONVERT.with(1, 'vm-01'), ...STATE);
      impatient = await batch(...CONVERT, ...STATE, '--wait', '0');
    });
    expect(first.code).toBe(0);
    expect(impatient).toMatchObject({ code: 3, stdout: '' });
    expect(impatient?.stderr).toMatch(/state-locked: another batch \(process \d+\) is running/);
    const second = await patient;
    expect(second).toMatchObject({ code: 0 });
    expect(second?.stdout).toMatch(/^unchanged +vm-01$/m);
    expect(second?.stderr).toMatch(/waiting for another run \(process \d+\) to end/);
  });
});

describe('a state folder on a full disk', () => {
  /** Provides a state folder on a file system of `kib` KiB while `body` runs. */
  async function withSmallDisk(kib: number, body: (state: string[]) => Promise<void>): Promise<void> {
    await lab.jail.output(['mkdir', '-p', '/tmp/small']);
    await lab.jail.output(['mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', '/tmp/small']);
    try {
      await body(['--state', '/tmp/small']);
      await batch('rollback', '--state', '/tmp/small');
    } finally {
      await lab.jail.output(['umount', '/tmp/small']);
    }
  }

  it('makes the batch report and skip the domains that it could not record', async () => {
    await withSmallDisk(160, async (state) => {
      const run = await batch(...CONVERT, ...state);
      expect(run.code).toBe(1);
      const converted = count(run.stdout, 'converted');
      expect(converted).toBeGreaterThan(0);
      expect(converted).toBeLessThan(40);
      expect(count(run.stdout, 'failed')).toBe(40 - converted);
      expect(run.stdout).toMatch(/^failed +vm-\d+ +no space left on device$/m);
      const changed = [...(await dumpAll(libvirt))].filter(([name, xml]) => xml !== before.get(name));
      expect(changed).toHaveLength(converted);

      await lab.jail.output(['mount', '-o', 'remount,size=10m', '/tmp/small']);
      const resumed = await batch('resume', ...state, '--json');
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(JSON.parse(resumed.stdout).totals).toEqual({ converted: 40 });
    });
  });

  it('is an error with its own code if not even a run can begin', async () => {
    await withSmallDisk(12, async (state) => {
      const run = await batch(...CONVERT, ...state);
      expect(run).toMatchObject({ code: 3, stdout: '' });
      expect(run.stderr).toMatch(/error: state-unwritable: no space left on device/);
    });
  });
});

describe('a domain with saved memory', () => {
  it('is skipped with the reason, unless an option includes it', async () => {
    const [saved, snapshotted] = [await uuidOf('vm-01'), await uuidOf('vm-02')];
    for (const [name, uuid] of Object.entries({ 'vm-01': saved, 'vm-02': snapshotted })) {
      // A domain with a host device cannot start here.
      const bare = (before.get(name) ?? '').replace(/<hostdev[\s\S]*<\/hostdev>/, '');
      await libvirt.call('define', bare, { validate: false });
      await virsh(lab, ['start', '--paused', uuid]);
    }
    await virsh(lab, ['managedsave', saved]);
    const memory = '/var/lib/libvirt/qemu/snapshot.memory,snapshot=external';
    await virsh(lab, ['snapshot-create-as', snapshotted, 'first', '--memspec', memory]);
    await virsh(lab, ['destroy', snapshotted]);
    for (const name of ['vm-01', 'vm-02']) await libvirt.call('define', before.get(name), { validate: false });
    const dry = CONVERT.with(1, 'vm-01').toSpliced(2, 0, 'vm-02').slice(0, -1);
    const skipped = await batch(...dry);
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toMatch(
      /^skipped +vm-01 +the memory of the domain is saved for its next start \(managed save\)$/m,
    );
    expect(skipped.stdout).toMatch(/^skipped +vm-02 +1 of its snapshots contain its memory$/m);
    const asked = await batch(...dry, '--include-saved');
    expect(count(asked.stdout, 'convert')).toBe(2);
    await virsh(lab, ['managedsave-remove', saved]);
    await virsh(lab, ['snapshot-delete', snapshotted, 'first', '--metadata']);
  });
});

describe('a libvirtd that does not come back', () => {
  it('ends the run with exit code 3, and the run can be resumed', async () => {
    const { code, stderr } = await disturbed([...CONVERT, ...STATE], () =>
      lab.run(['sh', '-c', 'kill -KILL "$(cat /run/libvirtd.pid)"; rm -f /run/libvirtd.pid']),
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(/error: libvirt-unreachable/);
    expect(stderr).toMatch(/^vsmmu: to continue: vsmmu batch resume/m);
    await lab.run(['libvirtd', '-d']);
    expect((await batch('resume', ...STATE)).code).toBe(0);
  }, 120_000);
});
