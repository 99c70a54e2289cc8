import { multifunctionOff as diagnostic } from '../../diagnostics/pci.js';
import { formatGuestAddress } from '../../domain/address.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: `PCI: single function device can't be populated in function 1.1`; libvirt 12.8 keeps an explicit `off`. */
export const multifunctionOff: Rule = ({ domain, tree, location }) =>
  [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) => {
    if (address?.function !== 0 || element.child('address')?.attribute('multifunction') !== 'off') return [];
    const others = tree.inSlot(address).filter((other) => other.element !== element);
    if (others.length === 0) return [];
    const names = others.flatMap((other) => (other.address ? [formatGuestAddress(other.address)] : []));
    const where = location(element, 'address');
    return [diagnostic({ address: formatGuestAddress(address), others: names, location: where })];
  });
