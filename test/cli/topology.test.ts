import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderHostLocality } from '../../src/cli/render/locality.js';
import { renderTopology } from '../../src/cli/render/topology.js';
import { Host } from '../../src/host/host.js';
import { hostLocality } from '../../src/host/locality.js';
import { scanHost } from '../../src/host/scan.js';
import { readTopology } from '../../src/host/snapshot.js';
import { arbitraryHost } from '../host/arbitrary.js';
import { unpackHost } from '../host/fixture.js';
import { vsmmu } from './run.js';

const SAMPLES = new URL('../../samples/hosts/', import.meta.url);
const sample = (name: string) => readTopology(readFileSync(new URL(`${name}.json`, SAMPLES), 'utf8'), name);

describe('vsmmu topology', () => {
  const command = ['topology', '--topology', 'samples/hosts/gb200-cx8.json'];

  it('prints the locality only with --locality', () => {
    const [tree, both] = [command, [...command, '--locality']].map((args) => vsmmu(args).stdout);
    expect(tree).not.toContain('Locality');
    expect(both?.startsWith(tree ?? '')).toBe(true);
    expect(both).toContain('\nLocality\n');
    expect(JSON.parse(vsmmu([...command, '--json']).stdout)).not.toHaveProperty('locality');
    expect(JSON.parse(vsmmu([...command, '--json', '--locality']).stdout).locality.devices).not.toEqual([]);
  });
});

describe('the tree of a host', () => {
  it('shows the captured host', async () => {
    await expect(renderTopology(scanHost(unpackHost('host-a')))).toMatchFileSnapshot('golden/host-a.txt');
  });

  it.each(['gh200', 'gb200', 'arm-server', 'x86'])('shows the sample %s', async (name) => {
    await expect(renderTopology(sample(name))).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it.each(['gb200', 'x86'])('shows the locality of the sample %s', async (name) => {
    await expect(renderHostLocality(hostLocality(sample(name)))).toMatchFileSnapshot(`golden/${name}-locality.txt`);
  });

  it('has no list of NUMA nodes for a host whose kernel has none', () => {
    const tree = (nodes: Host['nodes']) => renderTopology(new Host({ version: 1, smmus: [], devices: [], nodes }));
    expect(tree([])).not.toContain('NUMA nodes');
    expect(tree(sample('gh200').nodes)).toContain('NUMA nodes');
  });

  it('names the NIC of each DMA function in another PCI segment, or reports that only root can find it', () => {
    const { topology } = sample('gb200-cx8');
    const shown = (host: Host) => renderHostLocality(hostLocality(host)).replace(/\s+/g, ' ');
    expect(shown(new Host(topology))).toContain(
      ' DMA functions of NICs in another PCI segment (Data Direct): DMA0 of NIC1, DMA1 of NIC0, DMA2 of NIC3, DMA3 of NIC2 ',
    );
    const unknown = topology.devices.map(({ dataDirect: _, ...device }) => device);
    expect(shown(new Host({ ...topology, devices: unknown }))).toContain(
      'DMA3 of no known NIC; run this as root on the host to find it ',
    );
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
