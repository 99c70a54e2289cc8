import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { domainXml } from './facts/fact.js';
import { hostdev } from './fleet.js';
import { Lab } from './lab.js';
import { Tool } from './tool.js';

let lab: Lab;
let tool: Tool;

const COUNT = 40;
/** A domain of 4 KiB, which has 8 KiB when it is converted. */
const XML = domainXml({ name: 'vm', devices: hostdev('31:10.2') });
const OPTIONS = ['--sysfs', '/tmp/host/sys', '--force-tcg', '--state', '/tmp/state', '--apply', '--json'];

beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
  await lab.jail.output(['mkdir', '-p', '/tmp/in', '/tmp/small']);
  await lab.jail.put('/tmp/vm.xml', XML);
  const copies = `for i in $(seq 10 ${COUNT + 9}); do cp /tmp/vm.xml /tmp/in/vm-$i.xml; done`;
  await lab.jail.output(['sh', '-c', copies]);
});
afterAll(() => lab[Symbol.asyncDispose]());
beforeEach(() => lab.jail.output(['rm', '-rf', '/tmp/state']));

/** Mounts a file system of `kib` KiB while `body` runs. */
async function withSmallDisk(kib: number, body: () => Promise<void>): Promise<void> {
  await lab.jail.output(['mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', '/tmp/small']);
  try {
    await body();
  } finally {
    await lab.jail.output(['umount', '/tmp/small']);
  }
}

interface BatchReport {
  readonly code: number | null;
  readonly totals: Readonly<Record<string, number>>;
  readonly domains: readonly { readonly id: string; readonly verdict: string; readonly why: string | null }[];
}

async function batchReport(...args: readonly string[]): Promise<BatchReport> {
  const { code, stdout } = await tool.run(['batch', ...args]);
  return { ...(JSON.parse(stdout) as Omit<BatchReport, 'code'>), code };
}

/** Every file in a folder by its name, including hidden ones. */
async function filesOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await lab.jail.output(['find', folder, '-type', 'f', '-printf', '%P\\n'])).split('\n').slice(0, -1);
  const files = new Map<string, string>();
  for (const name of names) files.set(name, await lab.jail.output(['cat', `${folder}/${name}`]));
  return files;
}

describe('a folder on a full disk', () => {
  it('gets the results that fit, as complete files, and the others when the run is resumed', async () => {
    await withSmallDisk(120, async () => {
      const run = await batchReport('convert', '--dir', '/tmp/in', '--out', '/tmp/small/out', ...OPTIONS);
      expect(run.code).toBe(1);
      const { written = 0, failed } = run.totals;
      expect(written).toBeGreaterThan(0);
      expect(failed).toBe(COUNT - written);
      expect(new Set(run.domains.filter((d) => d.verdict === 'failed').map((d) => d.why))).toEqual(
        new Set(['no space left on device']),
      );
      const results = await filesOf('/tmp/small/out');
      expect([...results.keys()].sort()).toEqual(
        run.domains.flatMap(({ id, verdict }) => (verdict === 'written' ? [id] : [])),
      );

      await lab.jail.output(['mount', '-o', 'remount,size=10m', '/tmp/small']);
      expect(await batchReport('resume', '--state', '/tmp/state', '--json')).toMatchObject({
        code: 0,
        totals: { written: COUNT },
      });
      const all = await filesOf('/tmp/small/out');
      expect(all.size).toBe(COUNT);
      expect(new Set([...results.values(), ...all.values()]).size, 'all are the same, and none is cut off').toBe(1);
    });
  });

  it('keeps files unchanged that cannot be replaced, and they are converted when the run is resumed', async () => {
    await withSmallDisk(4 * COUNT + 60, async () => {
      await lab.jail.output(['cp', '-r', '/tmp/in', '/tmp/small/in']);
      const run = await batchReport('convert', '--dir', '/tmp/small/in', '--in-place', ...OPTIONS);
      expect(run.code).toBe(1);
      const { converted = 0, failed } = run.totals;
      expect(converted).toBeGreaterThan(0);
      expect(failed).toBe(COUNT - converted);
      const files = await filesOf('/tmp/small/in');
      expect(files.size).toBe(COUNT);
      expect([...files.values()].filter((xml) => xml === XML)).toHaveLength(COUNT - converted);
      expect(new Set(files.values()).size, 'each is as it was, or whole').toBe(2);

      await lab.jail.output(['mount', '-o', 'remount,size=10m', '/tmp/small']);
      expect(await batchReport('resume', '--state', '/tmp/state', '--json')).toMatchObject({
        code: 0,
        totals: { converted: COUNT },
      });
      expect(new Set((await filesOf('/tmp/small/in')).values()).size).toBe(1);
      expect(await batchReport('rollback', '--state', '/tmp/state', '--json')).toMatchObject({ code: 0 });
      expect(new Set((await filesOf('/tmp/small/in')).values())).toEqual(new Set([XML]));
    });
  });
});
