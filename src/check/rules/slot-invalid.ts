import { diagnostic } from '../../diagnostics.js';
import { formatGuestAddress, type GuestAddress } from '../../domain/address.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Inspection, Rule } from '../inspection.js';

/** The ports with a link below them, which has one slot (PCI Express). */
const PORTS: ReadonlySet<string> = new Set(['pcie-root-port', 'pcie-switch-downstream-port']);

/**
 * libvirt 12.8 refuses a slot other than 0 below a port. Slot 0 of `pcie.0` it takes, and QEMU 11.1 does not: `single function
 * device can't be populated in function 0.1`.
 */
export const slotInvalid: Rule = ({ domain, tree, place }) =>
  [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) => {
    const why = address && whyNot(address, tree);
    if (!why) return [];
    const message = `guest address ${formatGuestAddress(address)} cannot be: ${why}`;
    return [diagnostic('slot-invalid', message, { place: place(element, 'address') })];
  });

function whyNot({ bus, slot }: GuestAddress, tree: Inspection['tree']): string | undefined {
  const model = tree.controller(bus)?.model ?? '';
  if (PORTS.has(model) && slot !== 0) return `a ${model} has slot 0 only`;
  return bus === ROOT_BUS && slot === 0 ? 'slot 0 of pcie.0 is the host bridge’s' : undefined;
}
