/**
 * Changes the source in small ways, one at a time, and tells which changes no test notices. See test/README.md.
 *
 *     npx tsx test/mutation/run.ts [--under src/FOLDER] [--count N] [--seed N] [TEST_PATH…]
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutantsOf } from './mutate.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    under: { type: 'string', default: 'src' },
    count: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
const repository = fileURLToPath(new URL('../..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'vsmmu-mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));

/** A sample, the same for the same seed. */
function sample<T>(items: readonly T[], count: number): T[] {
  let state = Number(values.seed);
  const rest = [...items];
  return Array.from({ length: Math.min(count, rest.length) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return rest.splice(Math.floor((state / 2 ** 32) * rest.length), 1);
  }).flat();
}

/** Killing a batch takes too long here. */
const env = { ...process.env, VSMMU_KILLS: '0' };

/** What a command says when it fails; undefined when it does not. */
function failureOf(command: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: copy, env, encoding: 'utf8', timeout: 600_000 });
  return status === 0 ? undefined : `${stdout}\n${stderr}`;
}

/** Builds the programs and runs the tests until one fails. */
function failure(): string | undefined {
  const vitest = ['vitest', 'run', '--bail', '1', '--exclude', 'test/{lab,accel}/**', '--testTimeout', '60000'];
  // One after the other: the first is meant to be the fastest.
  const groups = positionals.length > 0 ? positionals : ['test'];
  const steps = [() => failureOf('npx', ['tsx', 'bin/build/bundle.ts'])];
  steps.push(...groups.map((group) => () => failureOf('npx', [...vitest, group])));
  for (const step of steps) {
    const found = step();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Otherwise every mutant would count as killed. */
function requireSuccess(): void {
  const found = failure();
  if (found !== undefined) throw new Error(`the tests fail without a change: ${found}`);
}

for (const name of [
  'bin',
  'dist',
  'samples',
  'schemas',
  'src',
  'test',
  'package.json',
  'package-lock.json',
  'README.md',
  'LICENSE',
  'tsconfig.json',
  'vitest.config.ts',
]) {
  cpSync(join(repository, name), join(copy, name), { recursive: true });
}
symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
requireSuccess();

const files = readdirSync(join(copy, values.under), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.includes('generated/'))
  .map((file) => join(values.under, file));
const all = files.flatMap((file) => {
  const original = readFileSync(join(copy, file), 'utf8');
  return mutantsOf(original).map((mutant) => ({ file, original, ...mutant }));
});
const chosen = sample(all, Number(values.count));
let killed = 0;
for (const { file, original, line, before: was, after, text } of chosen) {
  writeFileSync(join(copy, file), text);
  const alive = failure() === undefined;
  writeFileSync(join(copy, file), original);
  if (!alive) killed++;
  console.log(`${alive ? 'survived' : 'killed'} ${file}:${line}\n  - ${was}\n  + ${after}`);
}
requireSuccess();
console.log(`${killed} of ${chosen.length} mutants killed (${all.length} in all)`);
