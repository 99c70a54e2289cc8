import { posix } from 'node:path';
import { sysfsUnreadable } from '../diagnostics/files.js';
import { type Bdf, parseBdf } from '../domain/address.js';
import { printable } from '../escape.js';
import type { Bar, PciDevice } from '../generated/topology.js';
import type { Sysfs } from './sysfs.js';

/** The sysfs folder that lists the PCI devices of all domains. Each entry links to the device's folder below its bridges. */
export const PCI_DEVICES = 'bus/pci/devices';

/**
 * The prefix of SMMUv3s in /sys/class/iommu (Linux, arm-smmu-v3.c). Other IOMMUs have other names: dmar0 or ivhd0 on x86.
 */
export const SMMUV3_PREFIX = 'smmu3.';

/** Bits of the third column of `resource` (Linux, include/linux/ioport.h). PCI defines the low ones as a part of the BAR. */
const IO = 0x100;
const MEMORY = 0x200;
const MEMORY_64 = 0x4;
const MEMORY_PREFETCH = 0x8;

/** BARs are the first six lines of `resource`; the ROM, a physical function's VF BARs and bridge windows follow. */
const BAR_LINES = 6;
const EMPTY_LINE = '0x0000000000000000 0x0000000000000000 0x0000000000000000';

/** Host bridges, and bridges with a bus below them: PCI-to-PCI, CardBus and semi-transparent bridges (PCI class codes). */
const BRIDGE_CLASS = /^0x06(00|04|07|09)/;

/** Returns the name of a folder or link as a BDF; undefined if it is not exactly one. */
export function bdfOfName(name: string): Bdf | undefined {
  const bdf = parseBdf(name);
  return bdf === name ? bdf : undefined;
}

/**
 * Reads one device (Linux, Documentation/ABI/testing/sysfs-bus-pci and sysfs-bus-pci-drivers). Returns undefined if the
 * device does not exist or was removed meanwhile.
 */
export function readDevice(sysfs: Sysfs, bdf: Bdf): PciDevice | undefined {
  const path = sysfs.follow(`${PCI_DEVICES}/${bdf}`);
  if (path === undefined) return undefined;

  const classCode = readId(sysfs, `${path}/class`, 6);
  const vendor = readId(sysfs, `${path}/vendor`, 4);
  const device = readId(sysfs, `${path}/device`, 4);
  if (classCode === undefined || vendor === undefined || device === undefined) return undefined;

  const bridge = BRIDGE_CLASS.test(classCode);
  const resource = bridge ? '' : sysfs.read(`${path}/resource`);
  if (resource === undefined) return undefined;

  const driver = printable(sysfs.linkName(`${path}/driver`) ?? '') || null;
  const smmu = sysfs.linkName(`${path}/iommu`);
  const group = readGroup(sysfs, path);
  const direct = group === null || bridge ? [] : readDirectRegions(sysfs, group);
  return {
    bdf,
    vendor,
    device,
    class: classCode,
    driver,
    vfio: driver !== null && (driver.includes('vfio') || sysfs.has(`${path}/vfio-dev`)),
    bridge,
    smmu: smmu?.startsWith(SMMUV3_PREFIX) ? smmu : null,
    group,
    ...(direct.length > 0 && { directRegions: direct }),
    node: readNode(sysfs, `${path}/numa_node`),
    parent: bdfOfName(posix.basename(posix.dirname(path))) ?? null,
    physfn: readPhysfn(sysfs, path),
    bars: parseBars(resource, () => sysfs.fail(`${path}/resource`, sysfsUnreadable.barLine())),
  };
}

/** Reads a NUMA node from a `numa_node` file; null if it is -1 or the file does not exist (a kernel without NUMA). */
export function readNode(sysfs: Sysfs, path: string): number | null {
  const text = sysfs.read(path);
  if (text === undefined || text === '-1') return null;
  return /^\d+$/.test(text) ? Number(text) : sysfs.fail(path, sysfsUnreadable.notA({ expected: 'a node number' }));
}

/**
 * Returns the BARs in use from a `resource` file, which has one line per BAR: `start end flags`, in hexadecimal. Physical
 * addresses are below 2^52, so a JavaScript number can represent them.
 */
export function parseBars(resource: string, fail: () => never): Bar[] {
  const bars: Bar[] = [];
  resource.split('\n', BAR_LINES).forEach((line, index) => {
    if (line === '' || line === EMPTY_LINE) return;
    const [start = Number.NaN, end = Number.NaN, flags = Number.NaN] = line.split(' ').map(Number);
    if (Number.isNaN(start + end + flags)) fail();
    const memory = (flags & MEMORY) !== 0;
    // A BAR that neither firmware nor the kernel could place keeps its flags and its size.
    const size = end - start + 1;
    if ((!memory && (flags & IO) === 0) || size <= 0) return;
    bars.push({
      index,
      size,
      kind: memory ? 'memory' : 'io',
      bits: memory && (flags & MEMORY_64) !== 0 ? 64 : 32,
      prefetchable: memory && (flags & MEMORY_PREFETCH) !== 0,
    });
  });
  return bars;
}

function readId(sysfs: Sysfs, path: string, digits: 4 | 6): string | undefined {
  const text = sysfs.read(path);
  if (text === undefined || (text.length === digits + 2 && /^0x[0-9a-f]+$/.test(text))) return text;
  return sysfs.fail(path, sysfsUnreadable.notA({ expected: `an id of ${digits} digits` }));
}

function readGroup(sysfs: Sysfs, path: string): number | null {
  const name = sysfs.linkName(`${path}/iommu_group`);
  if (name === undefined) return null;
  return /^\d+$/.test(name)
    ? Number(name)
    : sysfs.fail(`${path}/iommu_group`, sysfsUnreadable.notA({ expected: 'a link to a group number' }));
}

/** Returns the reserved regions of type `direct` of a group (Linux, Documentation/ABI/testing/sysfs-kernel-iommu_groups). */
function readDirectRegions(sysfs: Sysfs, group: number): string[] {
  const text = sysfs.read(`kernel/iommu_groups/${group}/reserved_regions`) ?? '';
  return [...text.matchAll(/^(0x[0-9a-f]+) (0x[0-9a-f]+) direct$/gm)].map(
    ([, start, end]) => `${shorten(start)}-${shorten(end)}`,
  );
}

/** Removes leading zeros: `0x0000000081000000` → `0x81000000`. */
function shorten(address: string | undefined): string {
  return `0x${BigInt(address ?? 0).toString(16)}`;
}

function readPhysfn(sysfs: Sysfs, path: string): Bdf | null {
  // Few devices are virtual functions, and this check is cheaper than an exception for a missing link.
  const name = sysfs.has(`${path}/physfn`) ? sysfs.linkName(`${path}/physfn`) : undefined;
  return (name && bdfOfName(name)) || null;
}
