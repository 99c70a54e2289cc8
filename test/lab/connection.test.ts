import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DomainEntry } from '../../src/libvirt/connection.js';
import { domainXml } from './facts/fact.js';
import { Lab, restartLibvirtd } from './lab.js';
import { connect, type Failure, type RemoteConnection } from './tool.js';
import { virsh } from './trial.js';

let lab: Lab;
let libvirt: RemoteConnection;
beforeAll(async () => {
  lab = await Lab.start();
  libvirt = await connect(lab, 'qemu:///system');
});
afterAll(async () => {
  await libvirt[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** Names that are hard to quote. */
const awkward = [
  '12',
  '--help',
  '-',
  'install',
  '$(id)',
  '; quit',
  "it's",
  'say "hi"',
  ' two  spaces ',
  'Müller',
  '#1',
];

describe('a domain', () => {
  it.for(awkward)('called %j is found by name, is listed, and is dumped by UUID', async (name) => {
    expect(await libvirt.call('define', domainXml({ name }))).toBeNull();
    const { uuid } = (await libvirt.call('find', name)) as DomainEntry;
    expect((await libvirt.call('find', uuid.toUpperCase())) as DomainEntry).toEqual({ uuid, name });
    expect(await libvirt.call('dumpXml', uuid, { inactive: true })).toContain(`<uuid>${uuid}</uuid>`);
    expect(await libvirt.call('list')).toContainEqual({
      uuid,
      name,
      state: 'shutoff',
      persistent: true,
      managedSave: false,
      snapshots: false,
    });
    await virsh(lab, ['undefine', '--nvram', uuid]);
  });

  it('that does not exist is a usage error', async () => {
    expect(await libvirt.call('find', 'nobody')).toMatchObject({ error: 'InputError', codes: ['domain-unknown'] });
  });

  it('is dumped byte for byte as virsh dumps it', async () => {
    await libvirt.call('define', domainXml({ name: 'bytes', metadata: '<x:y xmlns:x="urn:x">ü 𝄞 &#x7f;</x:y>' }));
    const { uuid } = (await libvirt.call('find', 'bytes')) as DomainEntry;
    const dump = await virsh(lab, ['dumpxml', '--inactive', '--security-info', uuid]);
    expect(await libvirt.call('dumpXml', uuid, { inactive: true, security: true })).toBe(dump);
  });

  it('keeps its password if it is dumped with it and defined again', async () => {
    const graphics = `<graphics type='vnc' passwd='s3cret'/>`;
    await libvirt.call('define', domainXml({ name: 'secret', devices: graphics }));
    const { uuid } = (await libvirt.call('find', 'secret')) as DomainEntry;
    expect(await libvirt.call('dumpXml', uuid, { inactive: true })).not.toContain('s3cret');
    await libvirt.call('define', await libvirt.call('dumpXml', uuid, { inactive: true, security: true }));
    expect(await virsh(lab, ['dumpxml', '--inactive', '--security-info', uuid])).toContain("passwd='s3cret'");
  });

  it('that libvirt refuses is reported with the message of libvirt, without the name of a temporary file', async () => {
    const answer = (await libvirt.call('define', domainXml({ devices: '<gizmo/>' }))) as Failure;
    expect(answer).toMatchObject({ error: 'EnvironmentError', codes: ['libvirt-refused'] });
    expect(answer.message).toMatch(/^virsh define: .*against schema/);
    expect(answer.message).not.toMatch(/\/tmp|\n/);
  });

  it('is reported as running, saved, or with a snapshot with memory', async () => {
    await libvirt.call('define', domainXml({ name: 'state' }));
    const { uuid } = (await libvirt.call('find', 'state')) as DomainEntry;
    const entry = async () => ((await libvirt.call('list')) as DomainEntry[]).find((d) => d.uuid === uuid);
    await virsh(lab, ['start', uuid]);
    expect(await entry()).toMatchObject({ state: 'running', managedSave: false });
    await virsh(lab, ['suspend', uuid]);
    expect(await entry()).toMatchObject({ state: 'paused' });
    await virsh(lab, ['resume', uuid]);
    expect(await libvirt.call('snapshotsWithMemory', uuid)).toEqual([]);
    const memory = '/var/lib/libvirt/qemu/snapshot.memory,snapshot=external';
    await virsh(lab, ['snapshot-create-as', uuid, 'first', '--memspec', memory]);
    expect(await entry()).toMatchObject({ snapshots: true });
    expect(await libvirt.call('snapshotsWithMemory', uuid)).toEqual(['first']);
    await virsh(lab, ['managedsave', uuid]);
    expect(await entry()).toMatchObject({ state: 'shutoff', managedSave: true });
    await virsh(lab, ['undefine', '--nvram', '--managed-save', '--snapshots-metadata', uuid]);
  });
});

/** Ends every virsh of the lab. */
async function killVirsh(): Promise<void> {
  const script = `for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != virsh ] || kill -9 "$(basename $p)"; done`;
  await lab.jail.output(['sh', '-c', script]);
}

/** Sends libvirtd a signal; for KILL, waits until it is gone. */
async function signalLibvirtd(signal: string): Promise<void> {
  const pid = (await lab.jail.output(['cat', '/run/libvirtd.pid'])).trim();
  const gone = signal === 'KILL' ? '; while [ -e "/proc/$2" ]; do sleep 0.05; done' : '';
  await lab.jail.output(['sh', '-c', `kill -s "$1" "$2"${gone}`, 'sh', signal, pid]);
}

describe('a connection', () => {
  it('returns the right result to each of several simultaneous calls', async () => {
    const uri = 'qemu:///system';
    await using many = await connect(lab, uri);
    const answers = await Promise.all([many.call('uri'), many.call('find', 'nobody'), many.call('uri')]);
    expect(answers).toEqual([uri, expect.objectContaining({ error: 'InputError' }), uri]);
  });

  it('continues when libvirtd is restarted', async () => {
    await libvirt.call('define', domainXml({ name: 'again' }));
    await restartLibvirtd(lab);
    expect(await libvirt.call('find', 'again')).toMatchObject({ name: 'again' });
  });

  it('continues when its virsh is killed', async () => {
    await libvirt.call('uri');
    await killVirsh();
    expect(await libvirt.call('uri')).toBe('qemu:///system');
  });

  it('waits for a libvirtd that is gone, and then reports it', async () => {
    await using short = await connect(lab, 'qemu:///system', { restartSeconds: 1 });
    await short.call('uri');
    await signalLibvirtd('KILL');
    try {
      expect(await short.call('uri')).toMatchObject({ error: 'EnvironmentError', codes: ['libvirt-unreachable'] });
    } finally {
      await lab.jail.output(['libvirtd', '--daemon']);
    }
    expect(await short.call('uri')).toBe('qemu:///system');
  });

  it('does not wait for a libvirtd that never existed', async () => {
    await using none = await connect(lab, 'qemu+unix:///system?socket=/nowhere', { restartSeconds: 3600 });
    const answer = (await none.call('list')) as Failure;
    expect(answer).toMatchObject({ error: 'EnvironmentError', codes: ['libvirt-unreachable'] });
    expect(answer.message).toContain('/nowhere');
    expect(answer.message).not.toContain('/dev/null');
  });

  it('stops waiting for a libvirtd that does not answer in time', async () => {
    await using short = await connect(lab, 'qemu:///system', { limitSeconds: 1 });
    await short.call('uri');
    await signalLibvirtd('STOP');
    try {
      expect(await short.call('list')).toMatchObject({ error: 'EnvironmentError', codes: ['libvirt-unreachable'] });
    } finally {
      await signalLibvirtd('CONT');
    }
  });

  it('leaves no file and no process behind', async () => {
    const own = await connect(lab, 'qemu:///system');
    await own.call('define', domainXml({ name: 'tidy' }));
    const virshes = async () =>
      (await lab.jail.output(['sh', '-c', 'cat /proc/[0-9]*/comm'])).split('\n').filter((name) => name === 'virsh')
        .length;
    const before = await virshes();
    await own[Symbol.asyncDispose]();
    expect(await virshes()).toBe(before - 1);
    const files = await lab.jail.output(['find', '/tmp', '-maxdepth', '1', '-name', 'vsmmu-*']);
    expect(files, 'a definition holds passwords').toBe('');
  });
});
