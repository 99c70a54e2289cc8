import { expanderBusMisplaced as diagnostic } from '../../diagnostics/pci.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8: `It requires a controller that accepts a pcie-expander-bus`. Only `pcie-root` accepts it. */
export const expanderBusMisplaced: Rule = ({ tree, location }) =>
  tree.expanders.flatMap(({ index, address, element }) => {
    if (!address || address.bus === ROOT_BUS) return [];
    const where = location(element, 'address');
    return [diagnostic({ expanderBus: index, controller: address.bus, location: where })];
  });
