import { type Bdf, slotOf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import type { Host } from './host.js';

/**
 * How near two devices are, with the names of `nvidia-smi topo -m`. PIX: below one switch, or in one slot; PXB: below several
 * switches that share a port; PHB: in one root complex; NODE: on one NUMA node; SYS: on different or unknown nodes.
 */
export type Nearness = 'PIX' | 'PXB' | 'PHB' | 'NODE' | 'SYS';

/** The place of a device in the PCI tree of a host or of a guest. */
export interface PciPlace {
  /** The bridges above it, the nearest first. */
  readonly bridges: readonly string[];
  /** Its root bus, which stands for its root complex: `0008:00`. */
  readonly root: string;
  /** Its slot: `0008:01:00`. */
  readonly slot: string;
  /** Its NUMA node; null if unknown. */
  readonly node: number | null;
}

/** Returns how near two devices are. */
export function nearness(a: PciPlace, b: PciPlace): Nearness {
  const below = a.bridges.findIndex((bridge) => b.bridges.includes(bridge));
  const common = a.bridges[below];
  if (common !== undefined) {
    // If more than a downstream port is between a device and the common bridge, it is a second switch or bridge.
    return below <= 1 && b.bridges.indexOf(common) <= 1 ? 'PIX' : 'PXB';
  }
  if (a.slot === b.slot) return 'PIX';
  if (a.root === b.root) return 'PHB';
  return a.node !== null && a.node === b.node ? 'NODE' : 'SYS';
}

/** Returns the nearness of each device to each other one. Without a place, the nearness is unknown. */
export function nearnessMatrix(places: readonly (PciPlace | undefined)[]): readonly (readonly NearnessCell[])[] {
  return places.map((a, i) => places.map((b, j) => (i === j ? 'X' : a && b ? nearness(a, b) : '-')));
}

/** A cell of the matrix; X: the device itself, `-`: unknown. */
export type NearnessCell = Nearness | 'X' | '-';

/** Returns the place of a device on the host. */
export function placeOnHost(host: Host, device: PciDevice): PciPlace {
  const bridges = host.bridgesAbove(device).map(({ bdf }) => bdf);
  const top = bridges.at(-1) ?? device.bdf;
  const cpuNodes = host.nodes.filter(({ cpus }) => cpus !== '').length;
  return {
    bridges,
    root: top.slice(0, -':ss.f'.length),
    slot: slotOf(device.bdf),
    // If only one node has CPUs, all devices are near it, even if firmware does not report it.
    node: cpuNodes <= 1 ? 0 : device.node,
  };
}

/** The kinds of devices between which locality matters, in the order of the matrix. */
const KINDS = ['GPU', 'ACC', 'NIC', 'DMA', 'NVMe'] as const;

/** GPU, other accelerator, NIC, DMA engine or NVMe drive. */
export type LocalKind = (typeof KINDS)[number];

/** Vendors of the graphics of baseboard management controllers: ASPEED, Matrox. The host keeps such a device. */
const BMC_VENDORS = new Set(['0x1a03', '0x102b']);

/** Returns the kind of a device; undefined if its locality does not matter. */
export function localKind(device: Pick<PciDevice, 'class' | 'vendor' | 'device' | 'bridge'>): LocalKind | undefined {
  const code = device.class.slice(2, 6);
  if (device.bridge) return undefined;
  if (code.startsWith('03')) return isBmcGraphics(device) ? undefined : 'GPU';
  if (code.startsWith('12')) return 'ACC';
  if (code.startsWith('02')) return 'NIC';
  if (code === '0801' || isDataDirect(device)) return 'DMA';
  return code === '0108' ? 'NVMe' : undefined;
}

/** Whether a device is the graphics of a baseboard management controller. */
export function isBmcGraphics({ class: code, vendor }: Pick<PciDevice, 'class' | 'vendor'>): boolean {
  return code.startsWith('0x03') && BMC_VENDORS.has(vendor);
}

/** The vendor ID of NVIDIA's NICs. */
export const MELLANOX = '0x15b3';

/**
 * Whether a device is the DMA function of a NIC in another PCI segment: "ConnectX-8 Data Direct" (Linux,
 * drivers/infiniband/hw/mlx5/data_direct.c).
 */
export function isDataDirect({ vendor, device }: Pick<PciDevice, 'vendor' | 'device'>): boolean {
  return vendor === MELLANOX && device === '0x2100';
}

/** A row of the matrix: the devices of one kind in one slot. */
export interface LocalDevice {
  /** Its kind and a number, as in `nvidia-smi`: GPU0. */
  readonly name: string;
  readonly functions: readonly Bdf[];
  readonly smmu: string | null;
  readonly node: number | null;
  /** For the DMA function of a NIC (Data Direct): that NIC; empty if unknown. */
  readonly dataDirect?: readonly Bdf[];
}

/** How near the devices of a host are to each other. */
export interface HostLocality {
  readonly devices: readonly LocalDevice[];
  readonly nearness: readonly (readonly NearnessCell[])[];
  /** The number of rows that the matrix does not show, because it would be too large. */
  readonly leftOut: number;
}

/** The largest matrix, in rows: more than the slots of any known host. */
const MAX_ROWS = 128;

/**
 * Returns how near the GPUs, NICs, DMA engines and NVMe drives of a host are to each other. Leaves out virtual functions, whose
 * place is that of their physical function, and a DMA engine that shares its slot with a NIC.
 */
export function hostLocality(host: Host): HostLocality {
  const candidates = host.endpoints.filter(({ physfn }) => physfn === null);
  const nics = new Set(candidates.filter((each) => localKind(each) === 'NIC').map(({ bdf }) => slotOf(bdf)));
  const slots = groupBy(candidates, (device) => {
    const [kind, slot] = [localKind(device), slotOf(device.bdf)];
    return kind === undefined || (kind === 'DMA' && nics.has(slot)) ? null : `${kind} ${slot}`;
  });
  const rows = nameByKind([...slots.values()], ([first]) => first);
  const shown = rows.slice(0, MAX_ROWS);
  return {
    devices: shown.map(({ name, item }) => localDevice(name, item)),
    nearness: nearnessMatrix(shown.map(({ item: [first] }) => first && placeOnHost(host, first))),
    leftOut: rows.length - shown.length,
  };
}

/** Sorts items by the kind of their device and gives each a name: GPU0, GPU1, NIC0. Items of no kind are left out. */
export function nameByKind<Item>(
  items: readonly Item[],
  deviceOf: (item: Item) => PciDevice | undefined,
): readonly { readonly name: string; readonly item: Item }[] {
  const byKind = groupBy(items, (item) => {
    const device = deviceOf(item);
    return (device && localKind(device)) ?? null;
  });
  return KINDS.flatMap((kind) => (byKind.get(kind) ?? []).map((item, n) => ({ name: `${kind}${n}`, item })));
}

function localDevice(name: string, functions: readonly PciDevice[]): LocalDevice {
  const [first] = functions;
  return {
    name,
    functions: functions.map(({ bdf }) => bdf),
    smmu: first?.smmu ?? null,
    node: first?.node ?? null,
    ...(first && isDataDirect(first) && { dataDirect: first.dataDirect ?? [] }),
  };
}
