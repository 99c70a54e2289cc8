import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderTopology } from '../../src/cli/render/topology.js';
import { scanHost } from '../../src/host/scan.js';
import { readTopology } from '../../src/host/snapshot.js';
import { arbitraryHost } from '../host/arbitrary.js';
import { unpackHost } from '../host/fixture.js';

const SAMPLES = new URL('../../samples/hosts/', import.meta.url);
const sample = (name: string) => readTopology(readFileSync(new URL(`${name}.json`, SAMPLES), 'utf8'), name);

describe('the tree of a host', () => {
  it('shows the captured host', async () => {
    await expect(renderTopology(scanHost(unpackHost('host-a')))).toMatchFileSnapshot('golden/host-a.txt');
  });

  it.each(['gh200', 'gb200', 'arm-server', 'x86'])('shows the sample %s', async (name) => {
    await expect(renderTopology(sample(name))).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it('has each endpoint once, below its SMMU, and no line of more than 80 columns', () => {
    fc.assert(
      fc.property(arbitraryHost, (host) => {
        const lines = renderTopology(host).split('\n');
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
        let section = '';
        const shown = lines.flatMap((line) => {
          const [, title] = /^(smmu3\.\S+|Behind no SMMUv3)/.exec(line) ?? [];
          section = title ?? section;
          const [, bdf] = /^[├└]─ (\S+)/.exec(line) ?? [];
          return bdf === undefined ? [] : [`${bdf} ${section}`];
        });
        const expected = host.endpoints.map(({ bdf, smmu }) => `${bdf} ${smmu ?? 'Behind no SMMUv3'}`);
        expect(shown.toSorted()).toEqual(expected.toSorted());
      }),
    );
  });
});
