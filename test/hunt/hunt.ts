/**
 * Hunts for inputs that crash vsmmu, take longer than a second, or are accepted and are not XML:
 *
 *     npx tsx test/hunt/hunt.ts [COUNT [SEED]]
 *
 * COUNT inputs (default: 200 000) are made by random changes of domains, records, snapshots, policies and sysfs trees. What
 * is found is printed with the seed that makes it again.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Hunt, KINDS, type Prey } from './kinds.js';
import { randomFrom } from './mutate.js';

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

/** Nothing may take longer, in milliseconds. */
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
const found: Prey[] = [];
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const random = randomFrom(seed);
  const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'domain';
  totals.set(kind, (totals.get(kind) ?? 0) + 1);
  const prey = hunt.try(kind, random);
  if (!prey) continue;
  found.push(prey);
  process.stdout.write(`${kind}, seed ${seed}: ${prey.what}\n`);
}
const kinds = [...totals].map(([kind, total]) => `${total} ${kind}`).join(', ');
process.stdout.write(`${count} inputs (${kinds}): ${found.length} found\n`);
process.exitCode = found.length > 0 ? 1 : 0;
