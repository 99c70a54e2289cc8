import { controllerIndexOrder as diagnostic } from '../../diagnostics/pci.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 passes controllers to QEMU by index, and QEMU 11.1 needs a bus before the devices on it: `Bus 'pci.9' not found`. */
export const controllerIndexOrder: Rule = ({ domain, tree, location }) =>
  domain.controllers.flatMap(({ index, model, address, element }) => {
    const parent = address && tree.controller(address.bus);
    if (!parent || parent.index <= index) return [];
    const { model: parentModel, index: parentIndex } = parent;
    return [diagnostic({ model, index, parentModel, parentIndex, location: location(element) })];
  });
