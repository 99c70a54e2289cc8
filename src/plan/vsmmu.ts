import { type Diagnostic, diagnostic, type Severity } from '../diagnostics.js';
import type { Domain } from '../domain/domain.js';
import { type Iommu, VSMMU_ATTRIBUTES, type VsmmuAttribute, type VsmmuValues } from '../domain/iommu.js';
import type { ExpanderBus } from '../generated/plan.js';
import type { PciDevice, SmmuFeatures } from '../generated/topology.js';
import type { Policy } from './policy.js';
import { profileOfAny } from './profiles.js';
import { supports, type Target } from './target.js';

/** The values that QEMU reads off the first device behind a vSMMU where nobody gives them (`auto`, QEMU 11.1). */
const AUTO_ATTRIBUTES = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/** Whether a policy names any value of a vSMMU, which is to be held against what the host has. */
export function namesValues(policy: Policy): boolean {
  return AUTO_ATTRIBUTES.some((name) => policy[name] !== 'auto');
}

/** Whether a domain names one. */
export function hasValues(domain: Domain): boolean {
  return domain.iommus.some(({ values }) => AUTO_ATTRIBUTES.some((name) => values[name] !== undefined));
}

/** What a vSMMU's values rest on. */
export interface ValueRequest {
  /** The host's devices behind it; of one without, those that could be. */
  readonly devices: readonly PciDevice[];
  readonly policy: Policy;
  readonly target: Target;
  /** What its SMMU can do, as far as it is known. */
  readonly features?: SmmuFeatures | undefined;
  /** It as it is in the domain. */
  readonly present?: Iommu | undefined;
}

/** The same of the vSMMU of an expander bus. */
export interface ExpanderBusValues extends ValueRequest {
  readonly smmu: string;
  /** Whether a device is behind it that QEMU can read values off. */
  readonly hasDevices: boolean;
}

/** A value that somebody wants of a vSMMU. */
interface Wanted {
  readonly name: VsmmuAttribute;
  readonly value: string;
  /** Whether the policy names it, not just a profile. */
  readonly asked: boolean;
}

/** What policy and profile want of a vSMMU (rule "vSMMU values"); a value that is left to QEMU is not among them. */
function wantedValues({ devices, policy }: ValueRequest): readonly Wanted[] {
  const profile = policy.profile === 'auto' ? profileOfAny(devices) : undefined;
  return AUTO_ATTRIBUTES.flatMap((name) => {
    const asked = policy[name] !== 'auto';
    const value = asked ? policy[name] : profile?.values[name];
    return value === undefined ? [] : [{ name, value: String(value), asked }];
  });
}

/**
 * The values of an expander bus's vSMMU (rule "vSMMU values"): the policy's; where that says `auto`, those of the profile that the devices
 * behind it call for, unless the host is known not to have them; where there is none, what the vSMMU has already; else
 * none, which leaves them to QEMU. What the target cannot say is left out.
 */
export function vsmmuValues(request: ValueRequest): VsmmuValues {
  const { target, features, present } = request;
  const given = wantedValues(request).filter(
    ({ name, value, asked }) => supports(target, name) && (asked || !isBeyond(name, value, features)),
  );
  return { ...present?.values, accel: 'on', ...Object.fromEntries(given.map(({ name, value }) => [name, value])) };
}

/** A value that cannot be had: an error if the policy names it, else a warning. */
interface Unavailable {
  readonly name: VsmmuAttribute;
  readonly value: string;
  readonly severity: Severity;
}

function unavailable(request: ValueRequest, isSo: (wanted: Wanted) => boolean): readonly Unavailable[] {
  return wantedValues(request)
    .filter(isSo)
    .map(({ name, value, asked }) => ({ name, value, severity: asked ? 'error' : 'warning' }));
}

/** A value of a vSMMU that QEMU 11.1 refuses on a host, and what the host's SMMU has in its place. */
export interface BeyondHost {
  readonly name: VsmmuAttribute;
  readonly value: string;
  /** In words: `no ATS`, `44 bits`. */
  readonly host: string;
}

/**
 * The values of a vSMMU that are above what the SMMU behind it is known to have; QEMU 11.1 refuses to start with one. What
 * nobody knows of the SMMU is not held against a value.
 * @param features of the host's SMMU (`Smmu.features` of a topology)
 */
export function valuesBeyondHost(values: VsmmuValues, features: SmmuFeatures | undefined): readonly BeyondHost[] {
  return VSMMU_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    if (value === undefined || !isBeyond(name, value, features)) return [];
    const bits = name === 'ssidsize' || name === 'oas' ? features?.[name] : undefined;
    return [{ name, value, host: bits === undefined ? `no ${LACKED[name] ?? name}` : `${bits} bits` }];
  });
}

/** What a host lacks where one of these may not be on. */
const LACKED: { readonly [name in VsmmuAttribute]?: string } = {
  accel: 'nested translation',
  cmdqv: 'command queues for guests',
  ats: 'ATS',
  ril: 'range invalidation',
};

function isBeyond(name: VsmmuAttribute, value: string, features: SmmuFeatures = {}): boolean {
  if (name === 'ssidsize' || name === 'oas') return Number(value) > (features[name] ?? Number.POSITIVE_INFINITY);
  return value === 'on' && features[name === 'accel' ? 'nesting' : name] === false;
}

/** The values that a vSMMU without a device still lacks: QEMU has nothing to read them off, and does not start. */
export function missingValues(values: VsmmuValues, target: Target): readonly string[] {
  return AUTO_ATTRIBUTES.filter((name) => values[name] === undefined && supports(target, name));
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

/** Reports the values of an expander bus's vSMMU that cannot be had, and those without which it would not start. */
export function vsmmuDiagnostics(values: VsmmuValues, request: ExpanderBusValues): readonly Diagnostic[] {
  const { smmu, target, features, present, hasDevices } = request;
  const unsupported = unavailable(request, ({ name }) => !supports(target, name)).map(({ name, value, severity }) => {
    const who = target.libvirt.vsmmu.has(name) ? target.qemu.name : target.libvirt.name;
    const message = `${who} cannot give the vSMMU of ${smmu} ${name}='${value}'`;
    return diagnostic('target-value-unsupported', message, { severity });
  });
  const leftOut = unavailable(request, ({ name, value, asked }) => !asked && isBeyond(name, value, features)).map(
    ({ name, value, severity }) => {
      const message = `${smmu} has less than the ${name}='${value}' of its devices' platform, which is left out`;
      return diagnostic('vsmmu-value-beyond-host', message, { severity });
    },
  );
  const refused = valuesBeyondHost(values, features).map(({ name, value, host }) =>
    diagnostic('vsmmu-value-beyond-host', `the vSMMU of ${smmu} has ${name}='${value}', and the SMMU itself ${host}`, {
      location: present?.values[name] === value ? present.location : undefined,
    }),
  );
  const missing = hasDevices ? [] : missingValues(values, target);
  const message = `the expander bus of ${smmu} has no device to read ${missing.join(', ')} off`;
  const hint = `give ${missing.map((name) => `--${name}`).join(' ')}`;
  const lacking = missing.length > 0 ? [diagnostic('vsmmu-values-missing', message, { hint })] : [];
  return [...unsupported, ...leftOut, ...refused, ...lacking];
}

/** Reports the values that the accelerated vSMMU of an expander bus lacks that stays as it is: nothing will be behind it. */
export function unchangedDiagnostics(controller: number, iommu: Iommu | undefined, target: Target): Diagnostic[] {
  const missing = missingValues(iommu?.values ?? {}, target);
  if (missing.length === 0) return [];
  const message = `the vSMMU of PCI controller ${controller} has no device to read ${missing.join(', ')} off`;
  const hint = 'remove that <iommu>, or give these values in its <driver>';
  return [diagnostic('vsmmu-values-missing', message, { location: iommu?.location, hint })];
}

/** What becomes of a vSMMU that is to have these values; undefined: none. */
export function vsmmuChange(
  before: Iommu | undefined,
  after: VsmmuValues | undefined,
  target: Target,
): ExpanderBus['vsmmuChange'] {
  if (!before) return after ? 'add' : 'none';
  if (!after) return 'remove';
  const respelled = before.spellings.some((name) => name !== target.libvirt.ssidsize);
  return respelled || VSMMU_ATTRIBUTES.some((name) => before.values[name] !== after[name]) ? 'set' : 'none';
}
