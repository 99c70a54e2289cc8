import type { Diagnostic, Severity } from '../diagnostics/diagnostic.js';
import {
  smmuIncompatible,
  targetValueUnsupported,
  vsmmuValueBeyondHost,
  vsmmuValuesMissing,
} from '../diagnostics/vsmmu.js';
import type { Iommu } from '../domain/iommu.js';
import { missingForVsmmu } from '../domain/smmu-registers.js';
import { supports, type Target } from '../domain/target.js';
import {
  CHOSEN_ATTRIBUTES,
  dialectValue,
  isBeyondHost,
  spellingOf,
  VSMMU_ATTRIBUTES,
  type VsmmuAttribute,
  type VsmmuValues,
  valuesBeyondHost,
  valuesInDialect,
} from '../domain/vsmmu-attributes.js';
import type { ExpanderBus } from '../generated/plan.js';
import type { PciDevice, SmmuFeatures, SmmuRegisters } from '../generated/topology.js';
import type { Policy } from '../policy/policy.js';
import { profileOfAny } from '../policy/profiles.js';

/** The input for the values of an expander bus's vSMMU. */
export interface ValueRequest {
  readonly smmu: string;
  /** The host devices behind it or, if there are none, those that could be. */
  readonly devices: readonly PciDevice[];
  /** Whether a device is behind it that QEMU can read values from. */
  readonly hasDevices: boolean;
  readonly policy: Policy;
  readonly target: Target;
  /** The features of its host SMMU, as far as known. */
  readonly features?: SmmuFeatures | undefined;
  /** The ID registers of its host SMMU, if they were read. */
  readonly registers?: SmmuRegisters | undefined;
  /** The existing vSMMU. */
  readonly present?: Iommu | undefined;
  /** The values that it keeps: its present ones, or those that all vSMMUs that it replaces have in common. */
  readonly kept?: VsmmuValues | undefined;
}

/** A value that policy or a profile chooses for a vSMMU. */
interface Wanted {
  readonly name: VsmmuAttribute;
  readonly value: string;
  /** The severity of the diagnostic if the value is not available: an error if the policy sets it, a warning if only a profile does. */
  readonly severity: Severity;
}

/** Returns the values that policy and profile choose, without those left to QEMU. */
function wantedValues({ devices, policy }: ValueRequest): readonly Wanted[] {
  const profile = policy.profile === 'auto' ? profileOfAny(devices) : undefined;
  return CHOSEN_ATTRIBUTES.flatMap((name) => {
    const isNamed = policy[name] !== 'auto';
    const value = isNamed ? policy[name] : profile?.values[name];
    return value === undefined ? [] : [{ name, value: String(value), severity: isNamed ? 'error' : 'warning' }];
  });
}

/** The values of a vSMMU, with diagnostics. */
export interface VsmmuPlan {
  readonly values: VsmmuValues;
  /** The values that it still lacks. Without a device, QEMU cannot read them and does not start. */
  readonly missing: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Plans the values of an expander bus's vSMMU (rule "vSMMU values"). The policy's value comes first. If that is `auto`, the
 * profile of the devices behind the vSMMU supplies the value, unless the host is known not to support it. Otherwise the vSMMU
 * keeps its present value, or the one that all vSMMUs that it replaces have in common. Without any of these, QEMU chooses. Values
 * that the target does not support are left out. If the target's dialect has a switch for a number, the value is the number that
 * the switch stands for.
 */
export function planVsmmu(request: ValueRequest): VsmmuPlan {
  const { smmu, target, features, registers, present, kept, hasDevices } = request;
  const incompatible = hasDevices ? missingForVsmmu(registers) : [];
  const wanted = wantedValues(request);
  const unsupported = wanted.filter(({ name }) => !supports(target, name));
  const leftOut = wanted.filter((w) => w.severity === 'warning' && isBeyondHost(w.name, w.value, features));
  const given = wanted.filter((each) => !unsupported.includes(each) && !leftOut.includes(each));
  const chosen = Object.fromEntries(given.map(({ name, value }) => [name, value]));
  const { dialect, name: libvirt } = target.libvirt;
  const values = valuesInDialect({ ...kept, accel: 'on', ...chosen }, dialect);
  const missing = missingValues(values, target);
  const vsmmu = `the vSMMU of ${smmu}`;
  const diagnostics = [
    ...unsupported.map((each) => {
      const program = target.libvirt.vsmmu.has(each.name) ? target.qemu.name : libvirt;
      return targetValueUnsupported.value({ program, vsmmu, ...each });
    }),
    ...given.flatMap(({ name, value, severity }) => {
      const { [name]: actual = '' } = valuesInDialect({ [name]: value }, dialect);
      if (severity !== 'error' || actual === value) return [];
      const written = `${spellingOf(name, dialect)}='${dialectValue(name, value, dialect)}'`;
      return [targetValueUnsupported.coarse({ libvirt, name, value, said: written, actual })];
    }),
    ...leftOut.map((each) => vsmmuValueBeyondHost.profile({ smmu, ...each })),
    ...valuesBeyondHost(values, features).map((beyond) => {
      const location = present?.values[beyond.name] === beyond.value ? present.location : undefined;
      return vsmmuValueBeyondHost.vsmmu({ ...beyond, vsmmu, smmu: 'the SMMU itself', location });
    }),
    ...(incompatible.length > 0 ? [smmuIncompatible.planned({ smmu, missing: incompatible })] : []),
    ...(hasDevices || missing.length === 0 ? [] : [vsmmuValuesMissing.planned({ smmu, names: missing })]),
  ];
  return { values, missing, diagnostics };
}

/** Returns the values that an accelerated vSMMU lacks if no device is behind it. */
export function missingValues(values: VsmmuValues, target: Target): readonly string[] {
  return CHOSEN_ATTRIBUTES.filter((name) => values[name] === undefined && supports(target, name));
}

/** Reports missing values of an accelerated vSMMU that stays as it is. No device will be behind it. */
export function unchangedDiagnostics(controller: number, iommu: Iommu | undefined, target: Target): Diagnostic[] {
  const missing = missingValues(iommu?.values ?? {}, target);
  if (missing.length === 0) return [];
  const vsmmu = `the vSMMU of PCI controller ${controller}`;
  return [vsmmuValuesMissing.present({ vsmmu, names: missing, location: iommu?.location })];
}

/** Returns how a vSMMU changes; without `after`, it is removed. */
export function vsmmuChange(
  before: Iommu | undefined,
  after: VsmmuValues | undefined,
  target: Target,
): ExpanderBus['vsmmuChange'] {
  if (!before) return after ? 'add' : 'none';
  if (!after) return 'remove';
  const respelled = before.spellings.some(
    ({ attribute, name }) => name !== spellingOf(attribute, target.libvirt.dialect),
  );
  return respelled || VSMMU_ATTRIBUTES.some((name) => before.values[name] !== after[name]) ? 'set' : 'none';
}
