import { deviceBypassed, deviceUnassigned, deviceWithoutGroup, deviceWithoutSmmu } from '../diagnostics/devices.js';
import { groupShared } from '../diagnostics/groups.js';
import type { Device } from '../generated/plan.js';

/** The reasons for which a device is behind no vSMMU, in a few words. */
const REASONS: Readonly<Record<string, string>> = {
  [deviceWithoutSmmu.code]: 'behind no SMMU on the host',
  [deviceWithoutGroup.code]: 'in no IOMMU group, cannot be assigned',
  [deviceBypassed.code]: 'kept on pcie.0 by the policy',
  [deviceUnassigned.code]: 'detached from its host driver, not visible to the guest',
  'domain-not-applicable': 'vsmmu does not change this domain',
};

/** Returns the reason for which a device of a plan is behind no vSMMU, in a few words: `shares IOMMU group 2`. */
export function whyBypassed({ reason, group }: Device): string {
  if (reason === groupShared.code) return `shares IOMMU group ${group}`;
  return REASONS[reason ?? ''] ?? reason ?? '';
}
