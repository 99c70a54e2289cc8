import { parseSize } from '../domain/overrides.js';
import type { PciDevice } from '../generated/topology.js';
import type { Policy } from './policy.js';

/**
 * Bytes that each spare port reserves by policy: a power of two, as a window for one BAR must be, and as EDK2 rounds it
 * up itself (OvmfPkg, PciHotPlugInitDxe).
 */
export function spareBytes({ spareMemory }: Policy): number {
  const bytes = spareMemory === 0 ? 0 : (parseSize(spareMemory) ?? 0);
  return bytes === 0 ? 0 : roundUp(bytes);
}

/** Bytes that a device's 64-bit prefetchable BARs need behind a port: the sum, rounded up to a power of two. */
export function bytesNeeded({ bars }: PciDevice): number {
  const sizes = bars.filter((bar) => bar.kind === 'memory' && bar.bits === 64 && bar.prefetchable).map((b) => b.size);
  const sum = sizes.reduce((total, size) => total + size, 0);
  return sum === 0 ? 0 : roundUp(sum);
}

function roundUp(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/** A power of two of bytes in the largest unit that it is a whole number of: `128G`. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let count = bytes;
  while (count >= 1024 && count % 1024 === 0 && unit < UNITS.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${count}${UNITS[unit]}`;
}
