import { isVsmmuAlias } from './alias.js';
import type { PciController } from './controller.js';
import type { Domain } from './domain.js';
import { PciTree } from './pci-tree.js';

/** Returns the controllers of vSMMUs: those with vsmmu's aliases, and accelerated expander buses with their ports. */
export function vsmmuControllers(domain: Domain): PciController[] {
  const tree = new PciTree(domain);
  const accelerated = new Set(domain.iommus.flatMap((i) => (i.values.accel === 'on' ? [i.pciBus] : [])));
  const named = domain.controllers.filter((c) => isVsmmuAlias(c.alias));
  const buses = tree.expanders.filter((c) => isVsmmuAlias(c.alias) || accelerated.has(c.index));
  return [...new Set([...named, ...buses.flatMap((c) => [c, ...tree.busesBelow(c.index)])])];
}
