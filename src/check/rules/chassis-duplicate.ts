import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { chassisDuplicate as diagnostic } from '../../diagnostics/pci.js';
import type { PciController } from '../../domain/controller.js';
import { isPort } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/**
 * QEMU 11.1: `Can't add chassis slot, error -16`. If a port has no number, libvirt 12.8 uses its index, even if that is taken.
 */
export const chassisDuplicate: Rule = ({ domain, location }) => {
  const first = new Map<number, PciController>();
  return domain.controllers.flatMap((port): readonly Diagnostic[] => {
    if (!isPort(port)) return [];
    const chassis = port.chassis ?? port.index;
    const before = first.get(chassis);
    if (!before) {
      first.set(chassis, port);
      return [];
    }
    const where = location(port.element, 'target');
    return [diagnostic({ first: before.index, second: port.index, chassis, location: where })];
  });
};
