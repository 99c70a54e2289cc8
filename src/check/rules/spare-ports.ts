import { awaitingDevices, sparePortDiagnostics } from '../../domain/free-ports.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 gives a device without an address the free port with the lowest index, even behind a vSMMU. */
export const sparePorts: Rule = ({ accelerated, domain, tree }) =>
  sparePortDiagnostics({
    spare: accelerated.filter(({ bus }) => bus !== ROOT_BUS).flatMap(({ bus }) => tree.freePorts(bus)),
    guards: tree.freePorts(ROOT_BUS).map(({ index }) => index),
    awaiting: awaitingDevices(domain),
  });
