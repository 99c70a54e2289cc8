import type { Device } from '../generated/plan.js';

/** Returns the reason for which a device of a plan is behind no vSMMU, in a few words: `shares IOMMU group 2`. */
export function whyBypassed(device: Device): string {
  switch (device.reason) {
    case 'group-shared':
      return `shares IOMMU group ${device.group}`;
    case 'device-without-smmu':
      return 'behind no SMMU on the host';
    case 'device-without-group':
      return 'in no IOMMU group, cannot be assigned';
    case 'device-bypassed':
      return 'kept there by the policy';
    case 'device-unassigned':
      return 'held for the guest, not given to it';
    case 'domain-not-applicable':
      return 'not a domain to change';
    default:
      return device.reason ?? '';
  }
}
