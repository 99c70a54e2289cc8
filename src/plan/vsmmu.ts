import type { VsmmuValues } from '../domain/iommu.js';
import type { PciDevice } from '../generated/topology.js';
import type { Policy } from './policy.js';
import { profileOf } from './profiles.js';

/** The values that QEMU reads off the first device behind a vSMMU where nobody gives them (`auto`, QEMU 11.1). */
const AUTO_ATTRIBUTES = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/**
 * The values of a bridge's vSMMU (rule 9): the policy's; where that says `auto`, those of the profile that the devices
 * behind it call for; where there is none, what the vSMMU has already; else none, which leaves them to QEMU.
 */
export function vsmmuValues(devices: readonly PciDevice[], policy: Policy, present: VsmmuValues = {}): VsmmuValues {
  const profile = policy.profile === 'auto' ? profileOf(devices) : undefined;
  const values: Record<string, string> = { ...present, accel: 'on' };
  for (const name of AUTO_ATTRIBUTES) {
    const wanted = policy[name] === 'auto' ? profile?.values[name] : String(policy[name]);
    if (wanted !== undefined) values[name] = wanted;
  }
  return values;
}

/** The values that a vSMMU without a device still lacks: QEMU has nothing to read them off, and does not start. */
export function missingValues(values: VsmmuValues): readonly string[] {
  return AUTO_ATTRIBUTES.filter((name) => values[name] === undefined);
}
