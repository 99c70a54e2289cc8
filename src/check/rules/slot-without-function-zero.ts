import { slotWithoutFunctionZero as diagnostic } from '../../diagnostics/pci.js';
import { formatGuestAddress } from '../../domain/address.js';
import type { Occupant } from '../../domain/pci-tree.js';
import { groupBy } from '../../group-by.js';
import type { Rule } from '../inspection.js';

/** Guests scan a slot only if it has a function 0 (PCI 3.0, 3.2.2.3.4); libvirt 12.8 and QEMU 11.1 accept one without. */
export const slotWithoutFunctionZero: Rule = ({ domain, location }) => {
  const all: readonly Occupant[] = [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices];
  const slots = groupBy(all, ({ address }) => (address ? formatGuestAddress({ ...address, function: 0 }) : null));
  return [...slots].flatMap(([zero, occupants]) => {
    const [first] = occupants;
    if (!first || occupants.some(({ address }) => address?.function === 0)) return [];
    const unseen = occupants.flatMap(({ address }) => (address ? [formatGuestAddress(address)] : []));
    return [diagnostic({ functionZero: zero, unseen, location: location(first.element, 'address') })];
  });
};
