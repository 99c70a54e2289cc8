import { describe, expect, it } from 'vitest';
import { renderTopology } from '../../../src/cli/render/topology.js';
import type { Bdf } from '../../../src/domain/address.js';
import type { PciDevice } from '../../../src/generated/topology.js';
import { Host } from '../../../src/host/host.js';
import { hostOf } from '../../plan/build.js';

describe('a host as text', () => {
  it('shows what is known of each device, SMMU and node', () => {
    const bars = [
      { index: 0, size: 2 ** 30 - 1, kind: 'memory', bits: 64, prefetchable: true },
      { index: 2, size: 2 ** 30, kind: 'memory', bits: 64, prefetchable: true },
      { index: 4, size: 2 ** 40, kind: 'memory', bits: 64, prefetchable: true },
    ] as const;
    const bridge = (bdf: string, parent?: string) => ({ bdf, bridge: true, ...(parent && { parent }) });
    const { topology } = hostOf(2, [
      bridge('0000:00:01.0'),
      bridge('0000:01:00.0', '0000:00:01.0'),
      bridge('0000:02:00.0', '0000:01:00.0'),
      { bdf: '0000:03:00.0', parent: '0000:02:00.0', bars },
      { bdf: '0000:04:00.0', parent: '0000:01:00.0', driver: null },
      { bdf: '0000:05:00.0', parent: '0000:00:01.0', group: null },
      ...[0, 1, 2, 3, 4].map((n) => ({ bdf: `0000:06:00.${n}`, group: 7 })),
      { bdf: '0000:07:00.0', smmu: null },
    ]);
    const node = { cpus: '', memory: false, memoryKiB: 0, initiator: false, device: null, distances: [] };
    const initiator = { ...node, initiator: true, device: '0000:03:00.0' as Bdf };
    const shown = new Host({
      ...topology,
      smmus: topology.smmus.map((smmu, n) => ({
        ...smmu,
        ...(n === 0
          ? { node: 0, features: { nesting: false, cmdqv: false, ats: true, ril: false, oas: 48 } }
          : { features: { nesting: true, cmdqv: true } }),
      })),
      devices: topology.devices.map(
        (device): PciDevice => (device.bdf === '0000:06:00.4' ? { ...device, physfn: '0000:06:00.0' as Bdf } : device),
      ),
      nodes: [
        { ...node, id: 0, cpus: '0-3', memory: true, memoryKiB: 3 * 2 ** 20 },
        { ...node, id: 1, cpus: '4', memory: true, memoryKiB: undefined } as never,
        { ...node, id: 2 },
        { ...initiator, id: 3 },
        { ...initiator, id: 4 },
        { ...initiator, id: 6 },
        { ...initiator, id: 7, device: null },
      ],
    });
    expect(renderTopology(shown)).toMatchInlineSnapshot(`
      "smmu3.0x0000000010000000  node 0  ats=on ril=off oas=48  no nested translation
      ├─ 0000:03:00.0  Ethernet  8086:1572  vfio-pci  group 3
      │                below switch 0000:01:00.0, BAR2 1 GiB, BAR4 1 TiB
      ├─ 0000:04:00.0  Ethernet  8086:1572  -         group 4
      │                below bridge 0000:01:00.0
      ├─ 0000:05:00.0  Ethernet  8086:1572  vfio-pci  no group
      ├─ 0000:06:00.0  Ethernet  8086:1572  vfio-pci
      │                group 7 with 0000:06:00.1 0000:06:00.2 0000:06:00.3 …
      ├─ 0000:06:00.1  Ethernet  8086:1572  vfio-pci
      │                group 7 with 0000:06:00.0 0000:06:00.2 0000:06:00.3 …
      ├─ 0000:06:00.2  Ethernet  8086:1572  vfio-pci
      │                group 7 with 0000:06:00.0 0000:06:00.1 0000:06:00.3 …
      ├─ 0000:06:00.3  Ethernet  8086:1572  vfio-pci
      │                group 7 with 0000:06:00.0 0000:06:00.1 0000:06:00.2 …
      └─ 0000:06:00.4  Ethernet  8086:1572  vfio-pci
                       group 7 with 0000:06:00.0 0000:06:00.1 0000:06:00.2 …
                       VF of 0000:06:00.0

      smmu3.0x0000000011000000  cmdqv=on  no device behind it

      Behind no SMMUv3
      └─ 0000:07:00.0  Ethernet  8086:1572  vfio-pci  group 11

      NUMA nodes
         0    CPUs 0-3, 3 GiB of memory
         1    CPUs 4, memory
         2    empty
         3-4  Generic Initiator of 0000:03:00.0
         6    Generic Initiator of 0000:03:00.0
         7    Generic Initiator
      "
    `);
  });
});
