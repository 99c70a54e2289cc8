import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REPOSITORY } from '../cli/run.js';
import { unpackHost } from '../host/fixture.js';
import { Random } from '../judge/random.js';
import { Hunt, KINDS } from './kinds.js';

const read = (folder: string, ends: string): string[] =>
  readdirSync(join(REPOSITORY, folder))
    .filter((file) => file.endsWith(ends))
    .sort()
    .map((file) => readFileSync(join(REPOSITORY, folder, file), 'utf8'));

const plain = read('samples/domains', '.xml');
const hunt = new Hunt(
  {
    domains: [...plain, readFileSync(join(REPOSITORY, 'test/golden/two-smmus/domain.xml'), 'utf8')],
    hosts: read('samples/hosts', '.json'),
    policies: read('samples/policies', '.json'),
    sysfs: unpackHost('two-smmus'),
  },
  // No time limit: only hunt.ts checks times, because they depend on the computer.
  Number.POSITIVE_INFINITY,
);

// `npx tsx test/hunt/hunt.ts` tries 200 000.
it('vsmmu accepts or refuses 600 randomly changed inputs, and never crashes', () => {
  for (let seed = 1; seed <= 600; seed++) {
    const source = new Random(seed);
    const random = () => source.next();
    const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'domain';
    expect({ kind, seed, failure: hunt.try(kind, random) }).toEqual({ kind, seed, failure: undefined });
  }
});
