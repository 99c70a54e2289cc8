import { diagnostic } from '../../diagnostics.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 passes controllers to QEMU by index, and QEMU 11.1 needs a bus before what is on it: `Bus 'pci.9' not found`. */
export const controllerIndexOrder: Rule = ({ domain, tree, location }) =>
  domain.controllers.flatMap(({ index, model, address, element }) => {
    const parent = address && tree.controller(address.bus);
    if (!parent || parent.index <= index) return [];
    const message = `${model} ${index} is on ${parent.model} ${parent.index}, which has a higher index`;
    return [diagnostic('controller-index-order', message, { location: location(element) })];
  });
