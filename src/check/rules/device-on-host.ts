import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import type { Rule } from '../inspection.js';

/** libvirt starts no domain with a host device that is not there, and VFIO assigns none without an IOMMU group. */
export const deviceOnHost: Rule = ({ domain, host, location }) =>
  domain.hostDevices.flatMap(({ bdf, element }): readonly Diagnostic[] => {
    if (!host) return [];
    const device = host.device(bdf);
    const details = { location: location(element, 'source') };
    if (!device) return [diagnostic('device-missing', `${bdf} is not on this host`, details)];
    if (device.bridge) return [diagnostic('device-bridge', `${bdf} is a PCI bridge and cannot be assigned`, details)];
    if (device.group !== null) return [];
    const message = `${bdf} is in no IOMMU group and cannot be assigned`;
    return [diagnostic('device-without-group', message, { ...details, severity: 'error' })];
  });
