import type { Severity } from '../diagnostics.js';
import { VSMMU_ATTRIBUTES, type VsmmuAttribute, type VsmmuValues } from '../domain/iommu.js';
import type { PciDevice } from '../generated/topology.js';
import type { Policy } from './policy.js';
import { profileOfAny } from './profiles.js';
import { canSay, type Target } from './target.js';

/** The values that QEMU reads off the first device behind a vSMMU where nobody gives them (`auto`, QEMU 11.1). */
const AUTO_ATTRIBUTES = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/** What policy and profile want of a vSMMU (rule 9); a value that is left to QEMU is not among them. */
function wantedValues(devices: readonly PciDevice[], policy: Policy): VsmmuValues {
  const profile = policy.profile === 'auto' ? profileOfAny(devices) : undefined;
  const values: Record<string, string> = {};
  for (const name of AUTO_ATTRIBUTES) {
    const wanted = policy[name] === 'auto' ? profile?.values[name] : policy[name];
    if (wanted !== undefined) values[name] = String(wanted);
  }
  return values;
}

/**
 * The values of a bridge's vSMMU (rule 9): the policy's; where that says `auto`, those of the profile that the devices
 * behind it call for; where there is none, what the vSMMU has already; else none, which leaves them to QEMU. What the
 * target cannot say is left out.
 */
export function vsmmuValues(
  devices: readonly PciDevice[],
  policy: Policy,
  target: Target,
  present: VsmmuValues = {},
): VsmmuValues {
  const wanted = Object.entries(wantedValues(devices, policy)) as [VsmmuAttribute, string][];
  return { ...present, accel: 'on', ...Object.fromEntries(wanted.filter(([name]) => canSay(target, name))) };
}

/** The values that policy or profile want and the target cannot say: an error where the policy names them. */
export function unsupportedValues(
  devices: readonly PciDevice[],
  policy: Policy,
  target: Target,
): readonly { readonly name: VsmmuAttribute; readonly value: string; readonly severity: Severity }[] {
  return (Object.entries(wantedValues(devices, policy)) as [VsmmuAttribute, string][])
    .filter(([name]) => !canSay(target, name))
    .map(([name, value]) => {
      const asked = (policy as { readonly [key: string]: unknown })[name] !== 'auto';
      return { name, value, severity: asked ? 'error' : 'warning' };
    });
}

/** The values that a vSMMU without a device still lacks: QEMU has nothing to read them off, and does not start. */
export function missingValues(values: VsmmuValues, target: Target): readonly string[] {
  return AUTO_ATTRIBUTES.filter((name) => values[name] === undefined && canSay(target, name));
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
