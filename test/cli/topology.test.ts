import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderHostLocality } from '../../src/cli/render/locality.js';
import { renderTopology } from '../../src/cli/render/topology.js';
import type { Bdf } from '../../src/domain/address.js';
import type { PciDevice } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import { hostLocality } from '../../src/host/locality.js';
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

  it.each(['gb200', 'x86'])('shows the locality of the sample %s', async (name) => {
    await expect(renderHostLocality(hostLocality(sample(name)))).toMatchFileSnapshot(`golden/${name}-locality.txt`);
  });

  it('says which NIC a DMA function in another PCI segment belongs to, or that only root can tell', () => {
    const { topology } = sample('gb200');
    const shown = (dataDirect: Partial<PciDevice>) => {
      const devices = topology.devices.map((device) =>
        device.bdf === '0006:09:00.2'
          ? { ...device, bdf: '0009:03:00.0' as Bdf, device: '0x2100', ...dataDirect }
          : device,
      );
      return renderHostLocality(hostLocality(new Host({ ...topology, devices })));
    };
    expect(shown({ dataDirect: ['0000:03:00.0' as Bdf] })).toContain(
      'DMA0 is the DMA function (Data Direct) of NIC0, which is in another PCI\n    segment',
    );
    expect(shown({})).toContain('DMA0 is the DMA function (Data Direct) of a NIC in another PCI segment; root');
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
