/**
 * Changes the source in small ways, one at a time, and reports the changes that no test detects. See test/README.md.
 *
 *     npx tsx test/mutation/run.ts [--under src/FOLDER]… [--count N] [--each N] [--seed N] [--jobs N] [--quick]
 *       [--list] [TEST_PATH…]
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutant as Change, changesProgram, mutantsOf } from './mutate.js';
import { testsOf } from './tests-of.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    under: { type: 'string', multiple: true, default: ['src'] },
    count: { type: 'string', default: '200' },
    each: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
/** A change to a file. */
interface Mutant extends Change {
  readonly file: string;
  readonly original: string;
}

const repository = fileURLToPath(new URL('../..', import.meta.url));
const copies: string[] = [];
/** Groups of processes. A change can make a test endless, and vitest does not end such a worker. */
const running = new Set<number>();
process.on('exit', () => {
  running.forEach(end);
  for (const copy of copies) rmSync(copy, { recursive: true, force: true, maxRetries: 10 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Returns the items in a random order, the same for the same seed. */
function shuffled<T>(items: readonly T[]): T[] {
  let state = Number(values.seed);
  const rest = [...items];
  return items.flatMap(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return rest.splice(Math.floor((state / 2 ** 32) * rest.length), 1);
  });
}

/** The folder of `src` that a file is in, for the figures; `src` for a file directly in it. */
const folderOf = (file: string): string => file.split('/').slice(0, -1).slice(0, 2).join('/');

/** Returns a random sample with `each` mutants per folder, if it has as many, and at least `count` in total. */
function sample(mutants: readonly Mutant[], count: number, each: number): Mutant[] {
  const chosen: Mutant[] = [];
  const rest: Mutant[] = [];
  const numbers = new Map<string, number>();
  for (const mutant of shuffled(mutants)) {
    const number = numbers.get(folderOf(mutant.file)) ?? 0;
    if (number >= each) rest.push(mutant);
    else if (changesProgram(mutant.original, mutant)) {
      numbers.set(folderOf(mutant.file), number + 1);
      chosen.push(mutant);
    }
  }
  for (const mutant of rest) {
    if (chosen.length >= count) break;
    if (changesProgram(mutant.original, mutant)) chosen.push(mutant);
  }
  return chosen;
}

/** Kills no batch in tests, because that takes too long here. */
const env = { ...process.env, VSMMU_KILLS: '0', NO_COLOR: '1' };

/** Returns the output of a program of Node.js that fails or takes ten minutes; undefined when it succeeds. */
async function failureOf(copy: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(process.execPath, args, { cwd: copy, env, detached: true });
  const group = child.pid ?? 0;
  running.add(group);
  const limit = setTimeout(end, 600_000, group);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const status = await new Promise((resolve) => child.on('exit', resolve));
  clearTimeout(limit);
  end(group);
  running.delete(group);
  return status === 0 ? undefined : output;
}

/** Test files that pass without a change, and those that fail without one. Each is tried when it fails for the first time. */
const reliable = new Set<string>();
const unreliable = new Set<string>();

/** Builds the programs and runs groups of tests until one fails, last the property tests, which take longest. */
async function failure(copy: string, groups: readonly string[]): Promise<string | undefined> {
  const excluded = ['test/{lab,accel}/**', ...unreliable].flatMap((name) => ['--exclude', name]);
  const limits = ['--bail', '1', '--testTimeout', '60000', '--maxWorkers', '1'];
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--passWithNoTests', ...limits, ...excluded];
  const quickly = [...vitest, '--exclude', '**/*propert*'];
  let found = await failureOf(copy, ['--import', 'tsx', 'bin/build/bundle.ts']);
  for (const group of groups) found ??= await failureOf(copy, [...quickly, ...group.split(' ')]);
  if (!values.quick) found ??= await failureOf(copy, [...vitest, ...groups.join(' ').split(' ')]);
  return found;
}

/** Returns the failure of a mutant. A test that fails without the change, too, does not count. */
async function failureOfMutant(copy: string, { file, original, text }: Mutant): Promise<string | undefined> {
  for (;;) {
    writeFileSync(join(copy, file), text);
    const found = await failure(copy, groupsOf(file));
    writeFileSync(join(copy, file), original);
    const [, test] = /^ FAIL +(test\/\S+)/m.exec(found ?? '') ?? [];
    if (test === undefined || reliable.has(test)) return found;
    if ((await failure(copy, [test])) === undefined) reliable.add(test);
    else {
      unreliable.add(test);
      console.log(`left out, because it fails without a change: ${test}`);
    }
  }
}

function copyRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), 'vsmmu-mutants-'));
  copies.push(copy);
  // Some tests run as another user.
  chmodSync(copy, 0o755);
  const names = readdirSync(repository).filter((name) => !['node_modules', '.git', 'executable'].includes(name));
  for (const name of names) cpSync(join(repository, name), join(copy, name), { recursive: true });
  symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

const files = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' })
  .map((file) => join('src', file))
  .filter((file) => file.endsWith('.ts') && !file.includes('generated/'))
  .filter((file) => values.under.some((start) => file.startsWith(start)))
  .sort();
const all = files.flatMap((file) => {
  const original = readFileSync(join(repository, file), 'utf8');
  return mutantsOf(original).map((change): Mutant => ({ file, original, ...change }));
});
const chosen = sample(all, Number(values.count), Number(values.each));
const groupsOf = (file: string): readonly string[] => (positionals.length > 0 ? positionals : testsOf(file));
const figures = new Map<string, { killed: number; total: number }>();
const waiting = [...chosen];
const show = ({ file, line, before, after }: Mutant): string => `${file}:${line}\n  - ${before}\n  + ${after}`;
if (values.list) for (const mutant of waiting.splice(0)) console.log(show(mutant));

async function work(): Promise<void> {
  if (waiting.length === 0) return;
  const copy = copyRepository();
  for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
    const found = await failureOfMutant(copy, mutant);
    const folder = folderOf(mutant.file);
    const figure = figures.get(folder) ?? { killed: 0, total: 0 };
    figures.set(folder, { killed: figure.killed + (found === undefined ? 0 : 1), total: figure.total + 1 });
    const by = /^ FAIL +(.*)$/m.exec(found ?? '')?.[1] ?? found?.trim().split('\n')[0];
    console.log(`${found === undefined ? 'survived' : 'killed'} ${show(mutant)}`);
    if (by !== undefined) console.log(`  by ${by}`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
for (const [folder, { killed, total }] of [...figures].sort()) console.log(`${folder}: ${killed} of ${total}`);
const killed = [...figures.values()].reduce((sum, figure) => sum + figure.killed, 0);
console.log(`${killed} of ${chosen.length} mutants killed (${all.length} in all)`);
