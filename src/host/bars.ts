import type { Bar, PciDevice } from '../generated/topology.js';

/** Whether firmware places a BAR above 4 GiB: in a 64-bit prefetchable window. */
export function isLargeBar({ kind, bits, prefetchable }: Bar): boolean {
  return kind === 'memory' && bits === 64 && prefetchable;
}

/** Returns the sum of a device's 64-bit prefetchable BARs, in bytes. */
export function largeBarBytes({ bars }: PciDevice): number {
  return bars.filter(isLargeBar).reduce((total, { size }) => total + size, 0);
}

/**
 * Returns the size of the port window for BARs of this total size, both in bytes: the next power of two, because a window for one
 * BAR has the BAR's size. EDK2 also rounds up to a power of two (OvmfPkg, PciHotPlugInitDxe).
 */
export function windowBytes(bytes: number): number {
  return bytes === 0 ? 0 : 2 ** Math.ceil(Math.log2(bytes));
}
