import { describe, expect, it } from 'vitest';
import type { Bdf } from '../../src/domain/address.js';
import type { PciDevice } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import { hostLocality, localKind, type NearnessCell } from '../../src/host/locality.js';

type Spec = Partial<PciDevice> & { readonly bdf: string; readonly parent?: string | null };

const GPU = { vendor: '0x10de', device: '0x2941', class: '0x030200' };
const NIC = { vendor: '0x15b3', device: '0x1023', class: '0x020700' };
const NVME = { vendor: '0x144d', device: '0xa824', class: '0x010802' };
const DATA_DIRECT = { vendor: '0x15b3', device: '0x2100', class: '0x080100' };
const bridge = (bdf: string, parent: string | null = null): Spec =>
  ({ bdf, parent, class: '0x060400', bridge: true }) as Spec;
const below = (bdf: string, parent: string | null, kind: object, node: number | null = 0): Spec =>
  ({ bdf, parent, node, ...kind }) as Spec;

function hostOf(devices: readonly Spec[], cpuNodes = 2): Host {
  return new Host({
    version: 1,
    smmus: [],
    devices: devices.map((spec, group) => ({
      ...{ vendor: '0x10de', device: '0x22b1', class: '0x060400', driver: null, vfio: false, bridge: false },
      ...{ smmu: null, group, node: 0, parent: null, physfn: null, bars: [] },
      ...(spec as Partial<PciDevice> & { bdf: Bdf }),
    })),
    nodes: Array.from({ length: cpuNodes }, (_, id) => ({
      ...{ id, cpus: `${id}`, memory: true, initiator: false, device: null },
      distances: Array.from({ length: cpuNodes }, (_unused, other) => (other === id ? 10 : 20)),
    })),
  });
}

/** Returns how near the first two rows of a host are to each other. */
function between(devices: readonly Spec[], cpuNodes?: number): NearnessCell | undefined {
  return hostLocality(hostOf(devices, cpuNodes)).nearness[0]?.[1];
}

describe('the nearness of two devices', () => {
  const SWITCH = [
    bridge('0008:00:00.0'),
    bridge('0008:01:00.0', '0008:00:00.0'),
    bridge('0008:02:00.0', '0008:01:00.0'),
    bridge('0008:02:01.0', '0008:01:00.0'),
  ];

  it('is PIX below two ports of one switch', () => {
    expect(
      between([...SWITCH, below('0008:03:00.0', '0008:02:00.0', GPU), below('0008:04:00.0', '0008:02:01.0', NIC)]),
    ).toBe('PIX');
  });

  it('is PIX in one slot, also directly on a root bus', () => {
    expect(
      between([
        bridge('0000:00:01.0'),
        below('0000:01:00.0', '0000:00:01.0', GPU),
        below('0000:01:00.1', '0000:00:01.0', NIC),
      ]),
    ).toBe('PIX');
    expect(between([below('0000:00:02.0', null, GPU), below('0000:00:02.1', null, NIC)])).toBe('PIX');
  });

  it('is PXB if one of them is below a second switch, as the GPU and the DMA function of a GB300 tray', () => {
    const nested = [bridge('0008:04:00.0', '0008:02:01.0'), bridge('0008:05:00.0', '0008:04:00.0')];
    expect(
      between([
        ...SWITCH,
        ...nested,
        below('0008:06:00.0', '0008:05:00.0', GPU),
        below('0008:03:00.0', '0008:02:00.0', DATA_DIRECT),
      ]),
    ).toBe('PXB');
  });

  it('is PHB below two root ports of one root complex, whatever their nodes', () => {
    expect(
      between([
        bridge('0000:00:01.0'),
        bridge('0000:00:02.0'),
        below('0000:01:00.0', '0000:00:01.0', GPU, 0),
        below('0000:02:00.0', '0000:00:02.0', NIC, 1),
      ]),
    ).toBe('PHB');
  });

  it.each<[title: string, nodes: [number | null, number | null], cpuNodes: number, expected: NearnessCell]>([
    ['NODE in two root complexes on one NUMA node', [1, 1], 2, 'NODE'],
    ['SYS on two NUMA nodes', [0, 1], 2, 'SYS'],
    ['SYS if firmware names no node and there are several', [null, null], 2, 'SYS'],
    ['NODE if only one node has CPUs', [null, 0], 1, 'NODE'],
    ['NODE if the kernel knows no nodes', [null, null], 0, 'NODE'],
  ])('is %s', (_, [first, second], cpuNodes, expected) => {
    const devices = [
      bridge('0008:00:00.0'),
      bridge('0009:00:00.0'),
      below('0008:01:00.0', '0008:00:00.0', GPU, first),
      below('0009:01:00.0', '0009:00:00.0', GPU, second),
    ];
    expect(between(devices, cpuNodes)).toBe(expected);
  });

  it('distinguishes two root complexes of one PCI segment', () => {
    expect(between([below('0000:26:00.0', null, GPU, 0), below('0000:48:00.0', null, NIC, 0)])).toBe('NODE');
  });
});

describe('the rows of the matrix', () => {
  it('are the GPUs, NICs, DMA engines and NVMe drives; functions of a slot share a row, virtual functions have none', () => {
    const host = hostOf([
      below('0000:00:01.0', null, NVME),
      below('0000:00:02.0', null, NIC),
      below('0000:00:02.1', null, NIC),
      { ...below('0000:00:02.2', null, NIC), physfn: '0000:00:02.0' as Bdf },
      below('0000:00:02.3', null, { vendor: '0x15b3', device: '0xc2d5', class: '0x080100' }),
      below('0000:00:03.0', null, GPU),
      below('0000:00:04.0', null, { vendor: '0x1a03', device: '0x2000', class: '0x030000' }),
      below('0000:00:05.0', null, { vendor: '0x1912', device: '0x0014', class: '0x0c0330' }),
      below('0009:00:00.0', null, { ...DATA_DIRECT, dataDirect: ['0000:00:02.0'] }),
    ]);
    const { devices } = hostLocality(host);
    expect(devices.map(({ name, functions, dataDirect }) => [name, functions, dataDirect])).toEqual([
      ['GPU0', ['0000:00:03.0'], undefined],
      ['NIC0', ['0000:00:02.0', '0000:00:02.1'], undefined],
      ['DMA0', ['0009:00:00.0'], ['0000:00:02.0']],
      ['NVMe0', ['0000:00:01.0'], undefined],
    ]);
  });

  it('are 128 at most', () => {
    const many = Array.from({ length: 10_000 }, (_, n) => {
      const slot = `${((n >> 5) & 0xff).toString(16).padStart(2, '0')}:${(n & 31).toString(16).padStart(2, '0')}`;
      return below(`${(n >> 13).toString(16).padStart(4, '0')}:${slot}.0`, null, NIC);
    });
    const { devices, nearness, leftOut } = hostLocality(hostOf(many));
    expect([devices.length, nearness.length, leftOut]).toEqual([128, 128, 10_000 - 128]);
  });

  it('include other accelerators, and no bridges', () => {
    const device = { vendor: '0x19e5', device: '0xa250', bridge: false };
    expect(localKind({ ...device, class: '0x120000' })).toBe('ACC');
    expect(localKind({ ...device, class: '0x020000', bridge: true })).toBeUndefined();
  });
});
