import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { driverUnsupported as diagnostic } from '../../diagnostics/vsmmu.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 accepts the domain but refuses to start it: `QEMU does not support device assignment mode 'kvm'`. */
export const driverUnsupported: Rule = ({ domain, location }) =>
  domain.hostDevices.flatMap(({ bdf, element }): readonly Diagnostic[] => {
    const name = element.child('driver')?.attribute('name');
    if (name === undefined || name === 'vfio') return [];
    return [diagnostic({ device: bdf, driver: name, location: location(element, 'driver') })];
  });
