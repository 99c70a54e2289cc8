import type { Diagnostic, Severity } from '../diagnostics/diagnostic.js';
import { targetValueUnsupported, vsmmuValueBeyondHost, vsmmuValuesMissing } from '../diagnostics/vsmmu.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
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
import type { PciDevice, SmmuFeatures } from '../generated/topology.js';
import type { Policy } from '../policy/policy.js';
import { profileOfAny } from '../policy/profiles.js';

/** Returns whether a policy sets any value of a vSMMU, which must then be compared with the host. */
export function namesValues(policy: Policy): boolean {
  return CHOSEN_ATTRIBUTES.some((name) => policy[name] !== 'auto');
}

/** Returns whether a domain sets any value of a vSMMU. */
export function hasValues(domain: Domain): boolean {
  return domain.iommus.some(({ values }) => CHOSEN_ATTRIBUTES.some((name) => values[name] !== undefined));
}

/** The input for a vSMMU's values. */
export interface ValueRequest {
  /** The host devices behind it or, if there are none, those that could be. */
  readonly devices: readonly PciDevice[];
  readonly policy: Policy;
  readonly target: Target;
  /** The features of its host SMMU, as far as known. */
  readonly features?: SmmuFeatures | undefined;
  /** The existing vSMMU. */
  readonly present?: Iommu | undefined;
}

/** The input for the values of an expander bus's vSMMU. */
export interface ExpanderBusValues extends ValueRequest {
  readonly smmu: string;
  /** Whether a device is behind it that QEMU can read values from. */
  readonly hasDevices: boolean;
}

/** A value that policy or a profile chooses for a vSMMU. */
interface Wanted {
  readonly name: VsmmuAttribute;
  readonly value: string;
  /**
   * The severity of the diagnostic if the value is not available: an error if the policy sets it, a
   * warning if only a profile does.
   */
  readonly severity: Severity;
}

/** Returns the values that policy and profile choose (rule "vSMMU values"), without those left to QEMU. */
function wantedValues({ devices, policy }: ValueRequest): readonly Wanted[] {
  const profile = policy.profile === 'auto' ? profileOfAny(devices) : undefined;
  return CHOSEN_ATTRIBUTES.flatMap((name) => {
    const isNamed = policy[name] !== 'auto';
    const value = isNamed ? policy[name] : profile?.values[name];
    return value === undefined ? [] : [{ name, value: String(value), severity: isNamed ? 'error' : 'warning' }];
  });
}

/** Returns whether a value is left out: only a profile chooses it, and the host is known not to support it. */
function isLeftOut({ name, value, severity }: Wanted, { features }: ValueRequest): boolean {
  return severity === 'warning' && isBeyondHost(name, value, features);
}

/**
 * Returns the values of an expander bus's vSMMU (rule "vSMMU values"). The policy's value comes first. If that is `auto`, the
 * profile of the devices behind the vSMMU supplies the value, unless the host is known not to support it. Otherwise the vSMMU
 * keeps its present value. If it has none, QEMU chooses. Values that the target does not support are left out, and those that
 * its dialect writes as a switch are what the switch stands for.
 */
export function vsmmuValues(request: ValueRequest): VsmmuValues {
  const { target, present } = request;
  const given = wantedValues(request).filter((each) => supports(target, each.name) && !isLeftOut(each, request));
  const chosen = Object.fromEntries(given.map(({ name, value }) => [name, value]));
  return valuesInDialect({ ...present?.values, accel: 'on', ...chosen }, target.libvirt.dialect);
}

/** Returns the values that a vSMMU without a device still lacks. QEMU cannot read them from a device and does not start. */
export function missingValues(values: VsmmuValues, target: Target): readonly string[] {
  return CHOSEN_ATTRIBUTES.filter((name) => values[name] === undefined && supports(target, name));
}

/** Reports values of an expander bus's vSMMU that are not available, and missing values without which QEMU does not start. */
export function vsmmuDiagnostics(values: VsmmuValues, request: ExpanderBusValues): readonly Diagnostic[] {
  const { smmu, target, features, present, hasDevices } = request;
  const wanted = wantedValues(request);
  const unsupported = wanted
    .filter(({ name }) => !supports(target, name))
    .map(({ name, value, severity }) => {
      const program = target.libvirt.vsmmu.has(name) ? target.qemu.name : target.libvirt.name;
      return targetValueUnsupported.value({ program, vsmmu: `the vSMMU of ${smmu}`, name, value, severity });
    });
  const coarse = wanted.flatMap(({ name, value, severity }) => {
    const { dialect } = target.libvirt;
    const actual = valuesInDialect({ [name]: value }, dialect)[name];
    if (severity !== 'error' || actual === value || !supports(target, name)) return [];
    const said = `${spellingOf(name, dialect)}='${dialectValue(name, value, dialect)}'`;
    return [targetValueUnsupported.coarse({ libvirt: target.libvirt.name, name, value, said, actual: actual ?? '' })];
  });
  const leftOut = wanted
    .filter((each) => isLeftOut(each, request))
    .map(({ name, value, severity }) => vsmmuValueBeyondHost.profile({ smmu, name, value, severity }));
  const refused = valuesBeyondHost(values, features).map((beyond) =>
    vsmmuValueBeyondHost.vsmmu({
      ...beyond,
      vsmmu: `the vSMMU of ${smmu}`,
      smmu: 'the SMMU itself',
      location: present?.values[beyond.name] === beyond.value ? present.location : undefined,
    }),
  );
  const missing = hasDevices ? [] : missingValues(values, target);
  const lacking = missing.length > 0 ? [vsmmuValuesMissing.planned({ smmu, names: missing })] : [];
  return [...unsupported, ...coarse, ...leftOut, ...refused, ...lacking];
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
