import { deviceBypassed, deviceUnassigned, deviceWithoutGroup, deviceWithoutSmmu } from '../diagnostics/devices.js';
import { groupShared } from '../diagnostics/groups.js';
import type { Device } from '../generated/plan.js';

/** The reasons for which a device is behind no vSMMU, in a few words. */
const REASONS: Readonly<Record<string, string>> = {
  [deviceWithoutSmmu.code]: 'behind no SMMU on the host',
  [deviceWithoutGroup.code]: 'in no IOMMU group, cannot be assigned',
  [deviceBypassed.code]: 'kept there by the policy',
  [deviceUnassigned.code]: 'held for the guest, not given to it',
  'domain-not-applicable': 'not a domain to change',
};

/** Returns the reason for which a device of a plan is behind no vSMMU, in a few words: `shares IOMMU group 2`. */
export function whyBypassed({ reason, group }: Device): string {
  if (reason === groupShared.code) return `shares IOMMU group ${group}`;
  return REASONS[reason ?? ''] ?? reason ?? '';
}
