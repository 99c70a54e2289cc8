import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 at start: `QEMU does not support device assignment mode 'kvm'`; it accepts the domain. */
export const driverUnsupported: Rule = ({ domain, location }) =>
  domain.hostDevices.flatMap(({ bdf, element }): readonly Diagnostic[] => {
    const name = element.child('driver')?.attribute('name');
    if (name === undefined || name === 'vfio') return [];
    const message = `${bdf} has the driver '${name}', and QEMU has only vfio`;
    return [diagnostic('driver-unsupported', message, { location: location(element, 'driver') })];
  });
