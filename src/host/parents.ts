import type { Bdf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';

/** A PCI domain has 256 bus numbers, and each bridge uses one for the bus below it. */
const MAX_BRIDGES_ABOVE = 255;

/**
 * Returns the first device that is below itself, or below more bridges than a PCI domain can have; undefined if there is
 * none.
 */
export function findParentLoop(devices: ReadonlyMap<Bdf, PciDevice>): PciDevice | undefined {
  const depths = new Map<Bdf, number>();
  for (const device of devices.values()) {
    const path: Bdf[] = [];
    let above: PciDevice | undefined = device;
    while (above && !depths.has(above.bdf)) {
      if (path.push(above.bdf) > MAX_BRIDGES_ABOVE + 1) return device;
      above = above.parent === null ? undefined : devices.get(above.parent);
    }
    let depth = (above && depths.get(above.bdf)) ?? -1;
    for (const bdf of path.reverse()) depths.set(bdf, ++depth);
    if (depth > MAX_BRIDGES_ABOVE) return device;
  }
  return undefined;
}
