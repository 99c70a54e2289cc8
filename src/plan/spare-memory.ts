import { parseQemuSize } from '../domain/overrides.js';
import type { PciDevice } from '../generated/topology.js';
import { isLargeBar } from '../host/bars.js';
import type { Policy } from '../policy/policy.js';

/**
 * Returns how many bytes each spare port reserves by policy: a power of two, as the window for one BAR must be. EDK2 also
 * rounds up to a power of two (OvmfPkg, PciHotPlugInitDxe).
 */
export function spareBytes({ spareMemory }: Policy): number {
  const bytes = spareMemory === 0 ? 0 : (parseQemuSize(spareMemory) ?? 0);
  return bytes === 0 ? 0 : roundUp(bytes);
}

/** Returns how many bytes a device's 64-bit prefetchable BARs need behind a port: their sum, rounded up to a power of two. */
export function bytesNeeded({ bars }: PciDevice): number {
  const sum = bars.filter(isLargeBar).reduce((total, { size }) => total + size, 0);
  return sum === 0 ? 0 : roundUp(sum);
}

function roundUp(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
