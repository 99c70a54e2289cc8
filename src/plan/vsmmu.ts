import { VSMMU_ATTRIBUTES, type VsmmuValues } from '../domain/iommu.js';
import type { PciDevice } from '../generated/topology.js';
import type { Policy } from './policy.js';
import { profileOfAny } from './profiles.js';

/** The values that QEMU reads off the first device behind a vSMMU where nobody gives them (`auto`, QEMU 11.1). */
const AUTO_ATTRIBUTES = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/**
 * The values of a bridge's vSMMU (rule 9): the policy's; where that says `auto`, those of the profile that the devices
 * behind it call for; where there is none, what the vSMMU has already; else none, which leaves them to QEMU.
 */
export function vsmmuValues(devices: readonly PciDevice[], policy: Policy, present: VsmmuValues = {}): VsmmuValues {
  const profile = policy.profile === 'auto' ? profileOfAny(devices) : undefined;
  const values: Record<string, string> = { ...present, accel: 'on' };
  for (const name of AUTO_ATTRIBUTES) {
    const wanted = policy[name] === 'auto' ? profile?.values[name] : policy[name];
    if (wanted !== undefined) values[name] = String(wanted);
  }
  return values;
}

/** The values that a vSMMU without a device still lacks: QEMU has nothing to read them off, and does not start. */
export function missingValues(values: VsmmuValues): readonly string[] {
  return AUTO_ATTRIBUTES.filter((name) => values[name] === undefined);
}

/** What QEMU 11.1 takes of each value; libvirt 12.8 leaves the numbers to it. */
const TAKEN: Readonly<Record<string, (text: string) => boolean>> = {
  ssidsize: (text) => /^\d+$/.test(text) && Number(text) <= MAX_SSIDSIZE,
  oas: (text) => text === '44' || text === '48',
};

/** Bits of a substream id, at most (Arm SMMUv3, `SSIDSIZE`). */
const MAX_SSIDSIZE = 20;

/** The values that QEMU does not take, as `ssidsize='21'`. */
export function invalidValues(values: VsmmuValues): readonly string[] {
  return VSMMU_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    const taken = TAKEN[name] ?? ((text: string) => text === 'on' || text === 'off');
    return value === undefined || taken(value) ? [] : [`${name}='${value}'`];
  });
}
