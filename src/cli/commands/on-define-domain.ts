import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { DiagnosedError, InputError, RefusedError } from '../../diagnostics/errors.js';
import { kubevirtGateMissing, kubevirtRootComplex } from '../../diagnostics/integrations.js';
import { vmiInvalid } from '../../diagnostics/json.js';
import { pcihole64Off } from '../../diagnostics/memory.js';
import { usage } from '../../diagnostics/usage.js';
import { hasVsmmuExpanderBus } from '../../domain/alias.js';
import { isVersion, libvirtOfVersion, type Target, UPSTREAM } from '../../domain/target.js';
import { parseJson } from '../../json.js';
import { DEFAULT_POLICY, type Policy, readPolicy, readPolicyKeys } from '../../policy/policy.js';
import type { Command } from '../command.js';
import { exitCodeOf } from '../exit-code.js';
import { readExisting } from '../io/files.js';
import { printMarkup, say } from '../io/terminal.js';
import { DEFAULT_POLICY_FILE, type OptionValues, text, value } from '../options.js';
import { type Placed, placeSource } from '../place.js';
import { formatDiagnostic } from '../report.js';

export const command: Command = {
  usage: 'on-define-domain --vmi JSON --domain XML',
  internal: true,
  summary:
    "print a virtual machine's domain with its devices in place, for KubeVirt's sidecar-shim (bin/onDefineDomain)",
  options: {
    vmi: text('the VirtualMachineInstance; its annotation vsmmu.io/policy contains policy keys'),
    domain: text('its domain, as KubeVirt would define it'),
  },
  examples: [['onDefineDomain --vmi "$vmi" --domain "$xml"', 'as KubeVirt calls it']],
  run,
};

/** Annotation of a virtual machine with policy keys, as JSON. */
const POLICY_ANNOTATION = 'vsmmu.io/policy';

/** Annotation with the libvirt of the cluster; it takes precedence over VSMMU_LIBVIRT of the container. */
const LIBVIRT_ANNOTATION = 'vsmmu.io/libvirt';

/** KubeVirt's annotation that puts every PCI device on `pcie.0`, where vsmmu has no vSMMU. */
const ROOT_COMPLEX_ANNOTATION = 'kubevirt.io/placePCIDevicesOnRootComplex';

/** KubeVirt's annotation that sets `<pcihole64>` to 0. */
const HOLE_ANNOTATION = 'kubevirt.io/disablePCIHole64';

/** The name and the annotations of a virtual machine. */
interface Machine {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * `vsmmu on-define-domain --vmi JSON --domain XML`: implements KubeVirt's hook of that name. The shim reads the domain
 * from standard output. An exit code other than 0 prevents the start. The shim logs standard error line by line.
 *
 * KubeVirt (August 2026) calls the hook two or three times per start. Between the calls it keeps only `<devices>`, and
 * only attributes that it knows. So each call restores what is lost: NUMA cells, the record, vSMMU attributes.
 */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  const [vmi, domain] = [value(options, 'vmi'), value(options, 'domain')];
  let name = 'vsmmu';
  try {
    if (vmi === undefined || domain === undefined || operands.length > 0) {
      throw new InputError(usage.takes({ command: 'on-define-domain', expected: '--vmi JSON and --domain XML' }));
    }
    const machine = readMachine(vmi);
    name = machine.name;
    const policy = policyOf(machine);
    // Only the first call of a start plans a new layout; the next calls keep it.
    const relayout = policy.relayout && !hasVsmmuExpanderBus(domain);
    const settings = { policy: { ...policy, relayout }, target: targetOfCluster(machine) };
    const here = { sysfs: process.env.VSMMU_SYSFS || '/sys', 'force-tcg': process.env.VSMMU_FORCE_TCG === '1' };
    const placed = await placeSource({ name, input: Buffer.from(domain) }, here, settings);
    requireGates(machine, placed);
    reportFindings(placed.diagnostics, name);
    printMarkup(placed.xml);
    return 0;
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    reportFindings(error.diagnostics.map(inKubeVirtsTerms), name);
    return exitCodeOf(error);
  }
}

/**
 * If a device is behind a vSMMU, refuses a domain that KubeVirt would not start or would change back.
 * @throws RefusedError `kubevirt-gate-missing`, `kubevirt-root-complex`
 */
function requireGates({ annotations }: Machine, { after, plan }: Placed): void {
  if (!plan.devices.some(({ verdict }) => verdict === 'placed')) return;
  if (annotations[ROOT_COMPLEX_ANNOTATION] === 'true') {
    throw new RefusedError(kubevirtRootComplex({ annotation: ROOT_COMPLEX_ANNOTATION }));
  }
  // KubeVirt writes this element when the pod has an open /dev/iommu.
  if (after.iommufd?.element.attribute('fdgroup') === undefined) {
    throw new RefusedError(kubevirtGateMissing());
  }
}

/** A diagnostic with a hint that fits KubeVirt, where users do not edit the domain. */
function inKubeVirtsTerms(found: Diagnostic): Diagnostic {
  return found.code === pcihole64Off.code ? { ...found, hint: `remove the annotation ${HOLE_ANNOTATION}` } : found;
}

/** @throws InputError `vmi-invalid` */
function readMachine(json: string): Machine {
  const wrong = (path: string, constraint: string) =>
    new InputError(vmiInvalid.misfit({ path, constraint, file: '--vmi' }));
  const vmi = parseJson(json, '--vmi', vmiInvalid);
  const metadata = isObject(vmi) ? (vmi.metadata ?? {}) : undefined;
  if (!isObject(metadata)) throw wrong('', 'must be a VirtualMachineInstance');
  const annotations = metadata.annotations ?? {};
  if (!isObject(annotations)) throw wrong('/metadata/annotations', 'must be object');
  for (const key of [POLICY_ANNOTATION, LIBVIRT_ANNOTATION]) {
    if (annotations[key] !== undefined && typeof annotations[key] !== 'string') {
      throw wrong(`/metadata/annotations/${key}`, 'must be string');
    }
  }
  const parts = [metadata.namespace, metadata.name].filter((part) => typeof part === 'string' && part !== '');
  return { name: parts.join('/') || 'vmi', annotations: annotations as Record<string, string> };
}

function isObject(something: unknown): something is Record<string, unknown> {
  return typeof something === 'object' && something !== null && !Array.isArray(something);
}

/** Returns the policy of the container, overridden key by key by the machine's annotation. */
function policyOf({ annotations }: Machine): Policy {
  const file = process.env.VSMMU_POLICY || DEFAULT_POLICY_FILE;
  const text = readExisting(file);
  const policy = text === undefined ? DEFAULT_POLICY : readPolicy(text, file);
  return { ...policy, ...readPolicyKeys(annotations[POLICY_ANNOTATION] ?? '{}', POLICY_ANNOTATION) };
}

/**
 * Returns the target for the libvirt of the cluster, which a sidecar cannot query: a version, or `kubevirt` for the
 * patched libvirt that KubeVirt pins. That one supports all vSMMU attributes and uses the spelling `ssidSize`.
 */
function targetOfCluster({ annotations }: Machine): Target {
  const libvirt = annotations[LIBVIRT_ANNOTATION] ?? (process.env.VSMMU_LIBVIRT || undefined);
  if (libvirt === undefined) return UPSTREAM;
  if (libvirt === 'kubevirt') {
    return { ...UPSTREAM, libvirt: { ...UPSTREAM.libvirt, name: "KubeVirt's libvirt", dialect: 'camelCase' } };
  }
  if (isVersion(libvirt)) return { ...UPSTREAM, libvirt: libvirtOfVersion(libvirt) };
  const option = annotations[LIBVIRT_ANNOTATION] === undefined ? 'VSMMU_LIBVIRT' : LIBVIRT_ANNOTATION;
  throw new InputError(usage.value({ option, expected: 'kubevirt or a version such as 12.8.0', value: libvirt }));
}

/** Reports on standard error, which the shim logs. */
function reportFindings(diagnostics: readonly Diagnostic[], name: string): void {
  say(diagnostics.map((d) => formatDiagnostic({ file: name, ...d })).join(''));
}
