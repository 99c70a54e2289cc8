import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { State } from '../../src/batch/state.js';
import { HOST, text } from '../cli/batch-sandbox.js';
import { REPOSITORY, temporaryFolder } from '../cli/run.js';
import { Random } from '../judge/random.js';

/** Number of kills per mode. test/README.md describes when to use more. */
const KILLS = Number(process.env.VSMMU_KILLS ?? 15);

type Files = Readonly<Record<string, string>>;

const padded = (kib: number): string => text.replace('<devices>', `<!--${'x'.repeat(1024 * kib)}-->\n  <devices>`);

/** Files of very different sizes, so that the threads do not finish in the order of the files. */
const BEFORE: Files = Object.fromEntries([
  ['a/broken.xml', text.slice(0, 700)],
  ['a/network.xml', '<network><name>default</name></network>'],
  ...[0, 300, 0, 2, 0, 40, 0, 500, 0, 0].map((kib, i) => [`a/vm-${i}.xml`, kib === 0 ? text : padded(kib)]),
  ...Array.from({ length: 8 }, (_, i) => [
    `b/vm-${i}.xml`,
    i % 3 === 0 ? padded(i) : text.replace('aarch64', 'x86_64'),
  ]),
]);
const COUNT = Object.keys(BEFORE).length;

function filesOf(folder: string): Files {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function write(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
}

/** A folder to convert with two threads, in place or into another folder. */
class Sandbox {
  readonly #top = temporaryFolder();
  readonly state = join(this.#top, 'state');
  readonly folder = join(this.#top, 'in');
  /** The folder of the results. */
  readonly results: string;
  readonly convert: readonly string[];

  constructor(where: 'in-place' | 'out') {
    write(this.folder, BEFORE);
    this.results = where === 'out' ? join(this.#top, 'out') : this.folder;
    const to = where === 'out' ? ['--out', this.results] : ['--in-place'];
    this.convert = ['convert', '--dir', this.folder, '--topology', HOST, ...to, '--apply'];
  }

  /** Runs a command. KILL_AT in `env` kills it at the file system call with that number. */
  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const program = ['-r', join(REPOSITORY, 'test/batch/kill-at.cjs'), join(REPOSITORY, 'bin/vsmmu'), 'batch'];
    const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    return await new Promise((resolve) => {
      const argv = [...program, ...args, '--state', this.state, '--jobs', '2', '--json'];
      const child = execFile(process.execPath, argv, options, (_error, stdout) => {
        resolve({ code: child.exitCode, signal: child.signalCode, stdout });
      });
    });
  }

  /** Counts the file system calls of a command. */
  async callsOf(args: readonly string[]): Promise<number> {
    const file = join(this.#top, 'calls');
    await this.run(args, { CALLS: file });
    return Number(readFileSync(file, 'utf8'));
  }

  /** The events of the newest run that concern domains, each with its domain; undefined if there is no run. */
  journal(): readonly { event: string; id?: string }[] | undefined {
    const run = new State(this.state).runs().at(-1);
    const lines = run && readFileSync(run.journal, 'utf8').split('\n').slice(0, -1);
    return lines?.map((line) => JSON.parse(line));
  }
}

/**
 * Kills conversions and rollbacks at random instants, runs what a user would run next, and checks the files each time.
 * @returns how often a process was killed
 */
async function killRepeatedly(where: 'in-place' | 'out', kills: number, random: Random): Promise<number> {
  const sandbox = new Sandbox(where);
  const convertCalls = await sandbox.callsOf(sandbox.convert);
  const after = filesOf(sandbox.results);
  const rollbackCalls = where === 'in-place' ? await sandbox.callsOf(['rollback']) : 0;
  expect(filesOf(sandbox.folder)).toEqual(BEFORE);
  let killed = 0;

  /** Runs a command, then commands that finish its work, until one is not killed. Undefined if killed after the entry `end`. */
  const untilEnd = async (first: readonly string[], calls: number): Promise<Ended | undefined> => {
    for (let args = first; ; ) {
      const ended = await sandbox.run(args, { KILL_AT: String(1 + Math.floor(random.next() * calls)) });
      for (const [name, content] of Object.entries(filesOf(sandbox.results))) {
        if (!name.includes('.vsmmu-')) expect([BEFORE[name], after[name]], name).toContain(content);
      }
      if (ended.signal === null) return ended;
      killed++;
      if (first[0] === 'rollback') continue;
      const journal = sandbox.journal();
      if (journal?.some(({ event }) => event === 'end')) return undefined;
      // Without a journal, it was killed before the run began.
      args = journal ? ['resume'] : first;
    }
  };

  while (killed < kills) {
    rmSync(sandbox.state, { recursive: true, force: true });
    if (where === 'out') {
      rmSync(sandbox.results, { recursive: true });
      mkdirSync(sandbox.results);
    }
    const ended = await untilEnd(sandbox.convert, convertCalls);
    expect(filesOf(sandbox.results), 'everything is converted, and nothing is left over').toEqual(after);
    const closed = sandbox.journal()?.flatMap(({ event, id }) => (/done|settled/.test(event) ? [id] : []));
    expect(closed?.sort(), 'every file has one result').toEqual(Object.keys(BEFORE).sort());
    if (ended) {
      const { totals } = JSON.parse(ended.stdout) as { totals: Record<string, number> };
      expect(Object.values(totals).reduce((sum, each) => sum + each, 0)).toBe(COUNT);
    }
    if (where === 'in-place') expect((await untilEnd(['rollback'], rollbackCalls))?.code).toBe(0);
    expect(filesOf(sandbox.folder)).toEqual(BEFORE);
  }
  return killed;
}

describe('a batch with two threads that is killed at any instant', () => {
  it.each(['in-place', 'out'] as const)(
    `loses no file and reports every file: ${KILLS} times, %s`,
    async (where) => {
      const lanes = [1, 2].map((seed) => killRepeatedly(where, Math.ceil(KILLS / 2), new Random(seed)));
      const [first = 0, second = 0] = await Promise.all(lanes);
      expect(first + second).toBeGreaterThanOrEqual(KILLS);
    },
    120_000 + 3000 * KILLS,
  );
});
