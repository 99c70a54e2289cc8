import { slotInvalid as diagnostic } from '../../diagnostics/pci.js';
import { formatGuestAddress } from '../../domain/address.js';
import { isPort } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8: `Invalid PCI address … slot must be <= 0`. The link below a port has only slot 0 (PCI Express). */
export const slotInvalid: Rule = ({ domain, tree, location }) =>
  [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) => {
    const { model = '' } = (address && tree.controller(address.bus)) ?? {};
    if (!address || address.slot === 0 || !isPort({ model })) return [];
    return [diagnostic({ address: formatGuestAddress(address), model, location: location(element, 'address') })];
  });
