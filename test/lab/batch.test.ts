import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../judge/random.js';
import { defineFleet, dumpAll, type Fleet, PASSWORD } from './fleet.js';
import { Lab } from './lab.js';
import type { Result } from './process.js';
import { connect, type RemoteConnection, Tool } from './tool.js';

let lab: Lab;
let libvirt: RemoteConnection;
let tool: Tool;
let fleet: Fleet;
/** Every domain as it was defined. */
let before: ReadonlyMap<string, string>;
/** Every domain after one undisturbed run. */
let after: ReadonlyMap<string, string>;

beforeAll(async () => {
  lab = await Lab.start();
  libvirt = await connect(lab, 'qemu:///system');
  tool = await Tool.install(lab);
  fleet = await defineFleet(lab, libvirt);
  before = await dumpAll(libvirt);
});
afterAll(async () => {
  await libvirt[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const STATE = ['--state', '/tmp/state'];
const WHOLE = ['--all', '--sysfs', '/tmp/host/sys', '--force-tcg', ...STATE];

interface BatchReport {
  readonly run: string | null;
  readonly changed: boolean;
  readonly totals: Readonly<Record<string, number>>;
  readonly domains: readonly { readonly name: string; readonly verdict: string; readonly running: boolean }[];
}

const batch = (...args: readonly string[]): Promise<Result> => tool.run(['batch', ...args]);

async function batchReport(...args: readonly string[]): Promise<BatchReport & { readonly code: number }> {
  const { code, stdout } = await batch(...args, '--json');
  return { ...(JSON.parse(stdout) as BatchReport), code };
}

/** The recorded runs, the oldest first. */
async function runs(): Promise<readonly { readonly run: string; readonly ended: string | null }[]> {
  const { code, stdout, stderr } = await batch('list', '--json', ...STATE);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout).runs;
}

/** The entries of a run's journal. */
async function journalOf(run: string): Promise<readonly { readonly event: string; readonly id: string }[]> {
  const text = await lab.jail.output(['cat', `/tmp/state/runs/${run}/journal.jsonl`]);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const namesOf = (report: BatchReport, verdict: string): string[] =>
  report.domains.flatMap((each) => (each.verdict === verdict ? [each.name] : [])).sort();

describe('a fleet of 300 domains', () => {
  it('is reported in a dry run, and not changed', async () => {
    expect(before.size).toBe(300);
    const dry = await batchReport('convert', ...WHOLE);
    expect(dry).toMatchObject({ code: 1, changed: true, run: null });
    expect(dry.totals).toEqual({ convert: 240, 'not-applicable': 40, refused: 20 });
    expect(await dumpAll(libvirt)).toEqual(before);
  });

  it('is converted, except the domains that cannot be', async () => {
    const run = await batchReport('convert', ...WHOLE, '--apply');
    expect(run).toMatchObject({ code: 1, changed: true });
    expect(namesOf(run, 'converted')).toEqual([...fleet.convertible].sort());
    expect(namesOf(run, 'not-applicable')).toEqual([...fleet.notOurs].sort());
    expect(namesOf(run, 'refused')).toEqual([...fleet.misplaced].sort());
    expect(run.domains.flatMap((each) => (each.running ? [each.name] : [])).sort()).toEqual([...fleet.running].sort());

    after = await dumpAll(libvirt);
    const changed = [...after].flatMap(([name, xml]) => (xml === before.get(name) ? [] : [name]));
    expect(changed.sort()).toEqual([...fleet.convertible].sort());
    for (const name of fleet.convertible) expect(after.get(name), name).toContain("accel='on'");
    for (const name of fleet.withPassword) expect(after.get(name), name).toContain(`passwd='${PASSWORD}'`);
  });

  it('is not changed by a second run', async () => {
    const again = await batchReport('convert', ...WHOLE, '--apply');
    expect(again).toMatchObject({ code: 1, changed: false });
    expect(again.totals).toEqual({ unchanged: 240, 'not-applicable': 40, refused: 20 });
    expect(await dumpAll(libvirt)).toEqual(after);
  });

  it('is restored byte for byte by a rollback', async () => {
    const back = await batchReport('rollback', ...STATE);
    expect(back).toMatchObject({ code: 0, changed: true, totals: { restored: 240 } });
    expect(await dumpAll(libvirt)).toEqual(before);
  });

  it('is not rolled back twice', async () => {
    expect(await batchReport('rollback', ...STATE)).toMatchObject({
      code: 0,
      changed: false,
      totals: { unchanged: 240 },
    });
  });
});

describe('a run that is killed at any instant', () => {
  const KILLS = 100;

  it(`loses no domain and converts none twice, ${KILLS} times`, async () => {
    // The same numbers in every run; VSMMU_LAB_SEED changes them.
    const random = new Random(Number(process.env.VSMMU_LAB_SEED ?? 20_260_101));
    let kills = 0;
    const start = performance.now();
    await batchReport('convert', ...WHOLE, '--apply');
    const seconds = (performance.now() - start) / 1000;
    await batchReport('rollback', ...STATE);
    // Long enough for progress, also on a busy machine, and short enough for several kills in a run.
    const delay = () => seconds * (0.05 + 0.4 * random.next());
    while (kills < KILLS) {
      await batch('prune', '--keep', '0', ...STATE);
      const convert = ['convert', ...WHOLE, '--apply'];
      kills += await untilDone(convert, ['resume', ...STATE], delay, 1);
      expect(await dumpAll(libvirt)).toEqual(after);
      const entries = await journalOf((await runs()).at(-1)?.run ?? '');
      const done = entries.flatMap((entry) => (entry.event === 'done' ? [entry.id] : []));
      expect(new Set(done).size).toBe(240);
      expect(done.length, 'none is done twice').toBe(240);

      kills += await untilDone(['rollback', ...STATE], ['rollback', ...STATE], delay, 0);
      expect(await dumpAll(libvirt)).toEqual(before);
    }
  }, 900_000);

  /** Runs a command, and another one after each kill, until one ends by itself. @returns the number of kills */
  async function untilDone(
    first: readonly string[],
    next: readonly string[],
    delay: () => number,
    code: number,
  ): Promise<number> {
    let args = first;
    for (let kills = 0; ; kills++) {
      const limited = ['timeout', '--signal=KILL', delay().toFixed(3), tool.path, 'batch', ...args];
      const result = await lab.run(limited);
      if (result.code !== 137) {
        expect(result, result.stderr).toMatchObject({ code });
        return kills;
      }
      const newest = (await runs()).at(-1);
      // Killed after the last entry: there is nothing to resume.
      if (next[0] === 'resume' && newest && newest.ended !== null) return kills + 1;
      // Killed before the run began: start it again.
      args = newest ? next : first;
    }
  }
});
