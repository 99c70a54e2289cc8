import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { parseDomain } from '../../src/domain/domain.js';
import type { ExpanderBus } from '../../src/generated/plan.js';
import type { PciDevice } from '../../src/generated/topology.js';
import { type LocatedDevice, type PciHolePlan, planPciHole64 } from '../../src/plan/mmio.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { largeBar, pciDevice } from './devices.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A number of equal devices, each below its own expander bus, and the sizes of their 64-bit prefetchable BARs in bytes. */
interface Guest {
  readonly count: number;
  readonly bars: readonly number[];
  readonly ids?: Partial<PciDevice>;
  readonly hole?: string;
  readonly addressBits?: number;
  readonly policy?: Partial<Policy>;
  /** Number of devices behind a vSMMU; by default all. */
  readonly placed?: number;
  /** More elements of the domain. */
  readonly hostdevs?: string;
}

function planned({
  count,
  bars,
  ids,
  hole = '',
  addressBits,
  policy,
  placed: behind = count,
  hostdevs = '',
}: Guest): PciHolePlan {
  const root = `<controller type='pci' index='0' model='pcie-root'>${hole}</controller>`;
  const devices = Array.from({ length: count }, (_, i): LocatedDevice => {
    const device = pciDevice({ ...ids, bars: bars.map((size, index) => largeBar(size, index)) });
    const bus = (10 + i) as ControllerIndex;
    const placed = i < behind;
    return { device, address: { bus, slot: 0, function: 0 }, root: (100 + i) as ControllerIndex, placed };
  });
  return planPciHole64({
    domain: parseDomain(`<domain><devices>${root}${hostdevs}</devices></domain>`),
    expanderBuses: [{ vsmmu: {}, ports: [] as ExpanderBus['ports'] } as ExpanderBus],
    devices,
    policy: { ...DEFAULT_POLICY, ...policy },
    addressBits,
  });
}

const size = (guest: Guest): number | undefined => {
  const kib = planned(guest).change?.after;
  return kib && kib / MIB;
};

const grace = { vendor: '0x10de', device: '0x2941' };
const gb300 = { vendor: '0x10de', device: '0x31c2' };

it.for([
  [2, [1024 * GIB, 16 * MIB], 4096],
  [3, [512 * GIB, 16 * MIB], 4096],
  [2, [1024 * GIB], 4096],
] as const)(
  '%i devices with BARs of %o bytes get the space that EDK2 needs, not twice as much',
  ([count, bars, gib]) => {
    expect(size({ count, bars, addressBits: 48 })).toBe(gib);
  },
);

it.for([
  [undefined, undefined],
  [44, undefined],
  [48, 16384],
] as const)('with %o address bits, pcihole64 for 16 BARs of 512 GiB is %o GiB', ([addressBits, gib]) => {
  expect(size({ count: 16, bars: [512 * GIB], ...(addressBits && { addressBits }) })).toBe(gib);
});

it('a GPU of a known platform without a large BAR is reported', () => {
  const { bdf } = pciDevice({});
  const [domain, bus, slot, fn] = bdf.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  const of = (number: number) =>
    `\n<hostdev mode='subsystem' type='pci'><source><address domain='${domain}' bus='${number}' slot='${slot}' function='${fn}'/></source></hostdev>`;
  const hostdevs = of((bus ?? 0) + 1) + of(bus ?? 0);
  const { diagnostics } = planned({ count: 1, bars: [], ids: grace, hostdevs });
  expect(diagnostics).toMatchObject([{ code: 'device-without-bar', severity: 'warning', location: { line: 3 } }]);
  expect(planned({ count: 1, bars: [], ids: grace, policy: { profile: 'none' } }).diagnostics).toEqual([]);
});

describe("pcihole64 for GPUs with 16 GiB BARs equals KubeVirt's table, in TiB", () => {
  it.for([
    [1, grace, 1],
    [2, grace, 2],
    [4, grace, 4],
    [1, gb300, 2],
    [4, gb300, 8],
  ] as const)('%i of %o: %i', ([count, ids, tib]) => {
    expect(size({ count, ids, bars: [16 * GIB] })).toBe(tib * 1024);
  });
});

describe('the space for 64-bit BARs', () => {
  it.for<[string, Guest, number | undefined]>([
    ['stays at the default of 512 GiB if that suffices', { count: 3, bars: [128 * GIB] }, undefined],
    ['grows when the margin no longer fits', { count: 4, bars: [128 * GIB] }, 1024],
    ['has room for windows that are a multiple of their largest BAR', { count: 3, bars: [128 * GIB, 32 * MIB] }, 1024],
    ['is not changed for devices without such BARs', { count: 8, bars: [] }, undefined],
    [
      'is computed from the BARs if they need more than the minimum of the platform',
      { count: 1, ids: grace, bars: [1024 * GIB] },
      2048,
    ],
    ['has room for the BARs of devices behind no vSMMU', { count: 6, bars: [128 * GIB], placed: 1 }, 1024],
    [
      'has the minimum of the platform for devices behind a vSMMU',
      { count: 4, bars: [GIB], ids: grace, placed: 1 },
      1024,
    ],
    ['is not changed if no device is behind a vSMMU', { count: 6, bars: [128 * GIB], placed: 0 }, undefined],
    [
      'has no minimum without profiles',
      { count: 4, ids: grace, bars: [16 * GIB], policy: { profile: 'none' } },
      undefined,
    ],
    [
      'grows from the value in the domain',
      { count: 1, ids: grace, bars: [GIB], hole: "<pcihole64 unit='GiB'>512</pcihole64>" },
      1024,
    ],
    ['never shrinks', { count: 1, ids: grace, bars: [GIB], hole: "<pcihole64 unit='TiB'>4</pcihole64>" }, undefined],
    [
      'becomes a power of two, which QEMU requires',
      { count: 1, ids: grace, bars: [GIB], hole: "<pcihole64 unit='TiB'>3</pcihole64>" },
      4096,
    ],
    ['becomes 512 GiB if the domain has less', { count: 1, bars: [GIB], hole: '<pcihole64>1048576</pcihole64>' }, 512],
    ['is at most the upper half of a 44-bit address space', { count: 16, bars: [256 * GIB] }, 8192],
    ['may be larger with 48-bit addresses', { count: 16, bars: [512 * GIB], addressBits: 48 }, 16384],
  ])('%s', ([, guest, gib]) => {
    expect(size(guest)).toBe(gib);
    expect(planned(guest).diagnostics).toEqual([]);
  });

  it.for<[string, Guest, string]>([
    ['switched off', { count: 1, bars: [GIB], hole: '<pcihole64>0</pcihole64>' }, 'pcihole64-off'],
    ['beyond 44 bits', { count: 16, bars: [512 * GIB] }, 'pcihole64-exhausted'],
    ['beyond 44 bits', { count: 16, bars: [512 * GIB], addressBits: 44 }, 'pcihole64-exhausted'],
    ['beyond 48 bits', { count: 32, bars: [4096 * GIB], addressBits: 48 }, 'pcihole64-exhausted'],
  ])('%s is refused if devices need it', ([, guest, code]) => {
    const { change, diagnostics } = planned(guest);
    expect(change).toBeNull();
    expect(diagnostics.map((d) => d.code)).toEqual([code]);
  });

  it('may be switched off if no device needs it', () => {
    expect(planned({ count: 1, bars: [], hole: '<pcihole64>0</pcihole64>' })).toEqual({
      change: null,
      diagnostics: [],
    });
  });

  it('has its former value in the plan, as it was written', () => {
    const was = (hole: string) => planned({ count: 1, ids: grace, bars: [GIB], hole }).change?.before;
    expect(was('')).toBeNull();
    expect(was("<pcihole64 unit='gb'> 600 </pcihole64>")).toEqual({ text: '600', unit: 'gb' });
    expect(was('<pcihole64>536870912</pcihole64>')).toEqual({ text: '536870912', unit: null });
  });

  it('has one window for the BARs of all functions in a slot', () => {
    const devices = [128 * GIB, 32 * MIB].map((bar): LocatedDevice => {
      const device = pciDevice({ bars: [largeBar(bar)] });
      return {
        device,
        address: { bus: 9 as ControllerIndex, slot: 0, function: 0 },
        root: 8 as ControllerIndex,
        placed: true,
      };
    });
    const domain = parseDomain('<domain/>');
    const three = [8, 9, 10].flatMap((n) => {
      const root = n as ControllerIndex;
      return devices.map((d) => ({ ...d, root, address: { bus: root, slot: 0, function: 0 } }));
    });
    const plan = planPciHole64({
      domain,
      expanderBuses: [{ vsmmu: {}, ports: [] as ExpanderBus['ports'] } as ExpanderBus],
      devices: three,
      policy: DEFAULT_POLICY,
    });
    expect(plan.change).toEqual({ before: null, after: 1024 * MIB, controllerAdded: true });
  });
});
