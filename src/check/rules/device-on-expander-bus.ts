import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { deviceOnExpanderBus as diagnostic } from '../../diagnostics/pci.js';
import { isHostDevice } from '../../domain/device.js';
import type { Occupant } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/** The controllers that libvirt 12.8 accepts directly on a `pcie-expander-bus`. */
const ACCEPTED: ReadonlySet<string> = new Set(['pcie-root-port', 'dmi-to-pci-bridge']);

/** libvirt 12.8: `The device at PCI address … cannot be plugged into the PCI controller with index='8'`. */
export const deviceOnExpanderBus: Rule = ({ tree, location }) =>
  tree.expanders
    .filter(({ model }) => model === 'pcie-expander-bus')
    .flatMap(({ index }) =>
      tree.occupants(index).flatMap((occupant): readonly Diagnostic[] => {
        if ('model' in occupant && ACCEPTED.has(occupant.model)) return [];
        const where = location(occupant.element, 'address');
        return [diagnostic({ device: nameOf(occupant), expanderBus: index, location: where })];
      }),
    );

function nameOf(occupant: Occupant): string {
  if ('model' in occupant) return `${occupant.model} ${occupant.index}`;
  return isHostDevice(occupant) ? occupant.bdf : `<${occupant.name}>`;
}
