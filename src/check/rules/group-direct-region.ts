import { directRegionDiagnostics, groupsOf } from '../../host/groups.js';
import type { Rule } from '../inspection.js';

/** Linux: `Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the device without a 1:1 mapping`. */
export const groupDirectRegion: Rule = ({ domain, host }) =>
  host ? groupsOf(domain, host).flatMap(directRegionDiagnostics) : [];
