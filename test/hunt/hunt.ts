/**
 * Hunts for inputs that crash vsmmu, take longer than a second, or are accepted and are not XML:
 *
 *     npx tsx test/hunt/hunt.ts [COUNT [SEED]]
 *
 * Makes COUNT inputs (default: 200 000) by random changes of domains, records, snapshots, policies and sysfs trees. Prints
 * each failure with its seed, so that it can be repeated.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../judge/random.js';
import { type Failure, Hunt, KINDS } from './kinds.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const [, , count = '200000', first = '1'] = process.argv;
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-hunt-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
execFileSync('tar', ['-xzf', join(repository, 'test/fixtures/hosts/two-smmus.sysfs.tar.gz'), '-C', folder]);

const filesIn = (path: string, ends: string): string[] =>
  readdirSync(join(repository, path), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ends))
    .sort()
    .map((file) => readFileSync(join(repository, path, file), 'utf8'));

/** The limit for one input, in milliseconds. */
const LIMIT = 1000;

const hunt = new Hunt(
  {
    domains: [...filesIn('samples/domains', '.xml'), ...filesIn('test/golden', '.xml')],
    hosts: filesIn('samples/hosts', '.json'),
    policies: filesIn('samples/policies', '.json'),
    sysfs: join(folder, 'sys'),
  },
  LIMIT,
);
const totals = new Map<string, number>();
const found: Failure[] = [];
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const source = new Random(seed);
  const random = () => source.next();
  const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'domain';
  totals.set(kind, (totals.get(kind) ?? 0) + 1);
  const failure = hunt.try(kind, random);
  if (!failure) continue;
  found.push(failure);
  process.stdout.write(`${kind}, seed ${seed}: ${failure.what}\n`);
}
const kinds = [...totals].map(([kind, total]) => `${total} ${kind}`).join(', ');
process.stdout.write(`${count} inputs (${kinds}): ${found.length} failures\n`);
process.exitCode = found.length > 0 ? 1 : 0;
