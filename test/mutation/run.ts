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

function passes(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { cwd: copy, env, stdio: 'ignore', timeout: 600_000 }).status === 0;
}

/** Whether everything can be built and every test passes. A test that only its time ended counts as failed. */
function survives(): boolean {
  if (!passes(process.execPath, ['bin/bundle.mjs'])) return false;
  const groups = positionals.length > 0 ? positionals : ['test'];
  // One after the other: the first is meant to be the fastest.
  return groups.every((group) =>
    passes('npx', [
      'vitest',
      'run',
      '--bail',
      '1',
      '--exclude',
      'test/{lab,accel}/**',
      '--testTimeout',
      '60000',
      group,
    ]),
  );
}

for (const name of ['bin', 'dist', 'samples', 'schemas', 'src', 'test', 'package.json', 'README.md', 'tsconfig.json']) {
  cpSync(join(repository, name), join(copy, name), { recursive: true });
}
symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
if (!survives()) throw new Error('the tests fail without a change');

const files = readdirSync(join(copy, values.under), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.includes('generated/'))
  .map((file) => join(values.under, file));
const all = files.flatMap((file) => {
  const original = readFileSync(join(copy, file), 'utf8');
  return mutantsOf(original).map((mutant) => ({ file, original, ...mutant }));
});
const chosen = sample(all, Number(values.count));
let killed = 0;
for (const { file, original, line, before, after, text } of chosen) {
  writeFileSync(join(copy, file), text);
  const alive = survives();
  writeFileSync(join(copy, file), original);
  if (!alive) killed++;
  console.log(`${alive ? 'survived' : 'killed'} ${file}:${line}\n  - ${before}\n  + ${after}`);
}
console.log(`${killed} of ${chosen.length} mutants killed (${all.length} in all)`);
