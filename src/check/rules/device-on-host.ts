import { deviceBridge, deviceMissing, deviceWithoutGroup } from '../../diagnostics/devices.js';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import type { Rule } from '../inspection.js';

/** libvirt does not start a domain if a host device is missing, and VFIO assigns no device without an IOMMU group. */
export const deviceOnHost: Rule = ({ domain, host, location }) =>
  domain.hostDevices.flatMap(({ bdf, element }): readonly Diagnostic[] => {
    if (!host) return [];
    const device = host.device(bdf);
    const args = { device: bdf, location: location(element, 'source') };
    if (!device) return [deviceMissing(args)];
    if (device.bridge) return [deviceBridge(args)];
    if (device.group !== null) return [];
    return [deviceWithoutGroup({ ...args, severity: 'error' })];
  });
