import { groupsOf, singleness } from '../../plan/verdict.js';
import type { Rule } from '../inspection.js';

/** Linux 7.2 lets an accelerated vSMMU translate only for a device that is alone in its IOMMU group. */
export const groupNotSingle: Rule = ({ domain, host, accelerated }) => {
  if (!host) return [];
  const translated = new Set(accelerated.flatMap(({ hostDevices }) => hostDevices));
  return [...groupsOf(domain, host).values()].flatMap((members) => {
    const [only, second] = members.filter((device) => !device.unassigned);
    // Of several QEMU refuses the second: `group-behind-vsmmu`.
    return only && !second && translated.has(only) ? singleness(only, host) : [];
  });
};
