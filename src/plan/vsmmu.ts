import type { Severity } from '../diagnostics.js';
import type { VsmmuAttribute, VsmmuValues } from '../domain/iommu.js';
import type { PciDevice } from '../generated/topology.js';
import type { Policy } from './policy.js';
import { profileOf } from './profiles.js';
import { canSay, type Target } from './target.js';

/** The values that QEMU reads off the first device behind a vSMMU where nobody gives them (`auto`, QEMU 11.1). */
const AUTO_ATTRIBUTES = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/** What policy and profile want of a vSMMU (rule 9); a value that is left to QEMU is not among them. */
function wantedValues(devices: readonly PciDevice[], policy: Policy): VsmmuValues {
  const profile = policy.profile === 'auto' ? profileOf(devices) : undefined;
  const values: Record<string, string> = {};
  for (const name of AUTO_ATTRIBUTES) {
    const wanted = policy[name] === 'auto' ? profile?.values[name] : String(policy[name]);
    if (wanted !== undefined) values[name] = wanted;
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
