import { parseQemuSize } from '../domain/overrides.js';
import type { PciDevice } from '../generated/topology.js';
import { isLargeBar } from '../host/bars.js';
import type { Policy } from './policy.js';

/**
 * Bytes that each spare port reserves by policy: a power of two, as a window for one BAR must be, and as EDK2 rounds it
 * up itself (OvmfPkg, PciHotPlugInitDxe).
 */
export function spareBytes({ spareMemory }: Policy): number {
  const bytes = spareMemory === 0 ? 0 : (parseQemuSize(spareMemory) ?? 0);
  return bytes === 0 ? 0 : roundUp(bytes);
}

/** Bytes that a device's 64-bit prefetchable BARs need behind a port: the sum, rounded up to a power of two. */
export function bytesNeeded({ bars }: PciDevice): number {
  const sum = bars.filter(isLargeBar).reduce((total, { size }) => total + size, 0);
  return sum === 0 ? 0 : roundUp(sum);
}

function roundUp(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
