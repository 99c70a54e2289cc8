import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { busWindowTooSmall as diagnostic } from '../../diagnostics/expander-buses.js';
import { awaitingDevices } from '../../domain/free-ports.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import { assignBusNumbers } from '../../plan/bus-numbers.js';
import type { Inspection, Rule } from '../inspection.js';

/** Neither libvirt 12.8 nor QEMU 11.1 checks this. The guest's kernel panics while it scans PCI (Linux 7.2 after EDK2). */
export const busWindowTooSmall: Rule = (inspection) => {
  const { domain, tree } = inspection;
  if (tree.expanders.length === 0) return [];
  // Devices without an address take the free ports first.
  const added = Math.max(0, awaitingDevices(domain) - tree.freePorts(ROOT_BUS).length) + tree.gaps;
  const buses = tree.busesBelow(ROOT_BUS).length;
  const { lowest, diagnostics } = assignBusNumbers(tree, [], { buses, addedByLibvirt: added });
  const needed = 1 + buses + added;
  return needed > lowest ? [...diagnostics, tooLow(inspection, lowest, needed, added)] : diagnostics;
};

function tooLow({ tree, location }: Inspection, lowest: number, needed: number, added: number): Diagnostic {
  const [first] = tree.expanders.toSorted((a, b) => (a.busNr ?? 0) - (b.busNr ?? 0));
  const where = first && location(first.element, 'target');
  return diagnostic.root({ needed, added, available: Math.max(0, lowest), location: where });
}
