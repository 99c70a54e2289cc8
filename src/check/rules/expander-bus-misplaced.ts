import { diagnostic } from '../../diagnostics.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8: `It requires a controller that accepts a pcie-expander-bus`, which is `pcie-root` only. */
export const expanderBusMisplaced: Rule = ({ tree, location }) =>
  tree.expanders.flatMap(({ index, address, element }) => {
    if (!address || address.bus === ROOT_BUS) return [];
    const message = `expander bus ${index} is on PCI controller ${address.bus}, not on pcie.0`;
    return [diagnostic('expander-bus-misplaced', message, { location: location(element, 'address') })];
  });
