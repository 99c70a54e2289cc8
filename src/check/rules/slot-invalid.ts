import { slotInvalid as diagnostic } from '../../diagnostics/pci.js';
import { formatGuestAddress } from '../../domain/address.js';
import type { Rule } from '../inspection.js';

/** The ports with a link below them. A link has one slot (PCI Express). */
const PORTS: ReadonlySet<string> = new Set(['pcie-root-port', 'pcie-switch-downstream-port']);

/** libvirt 12.8: `Invalid PCI address … slot must be <= 0`. */
export const slotInvalid: Rule = ({ domain, tree, location }) =>
  [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) => {
    const { model = '' } = (address && tree.controller(address.bus)) ?? {};
    if (!address || address.slot === 0 || !PORTS.has(model)) return [];
    return [diagnostic({ address: formatGuestAddress(address), model, location: location(element, 'address') })];
  });
