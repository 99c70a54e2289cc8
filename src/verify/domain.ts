import { check } from '../check/check.js';
import { type Inspection, inspect } from '../check/inspection.js';
import type { DiagnosticCode } from '../diagnostics/codes.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { RefusedError } from '../diagnostics/errors.js';
import { deviceNotNested, deviceUnplugged, nextStartDiffers, planDiffers, smmuMoved } from '../diagnostics/running.js';
import { count } from '../diagnostics/words.js';
import { addressOfAlias, shortAddress } from '../domain/alias.js';
import { EXPANDER_MODELS } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import { UPSTREAM } from '../domain/target.js';
import { dialectOf } from '../domain/vsmmu-attributes.js';
import { managedDevicesOf } from '../edit/undo/record.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { type PlanOptions, plan } from '../plan/plan.js';
import type { Policy } from '../policy/policy.js';
import { type Check, gradeOf } from './check.js';
import { aliasOf, detachedDevices, detachedIds, type QemuMachine } from './command-line.js';

/** A running domain, with the data to compare it with. */
export interface Running {
  /** The running definition. */
  readonly live: Domain;
  /** The definition for the next start; undefined if the domain is transient. */
  readonly next: Domain | undefined;
  readonly host: Host;
  /** The plan for the running domain on this host, or the reasons why there is none. */
  readonly plan: Plan | readonly Diagnostic[];
  /** The command line that QEMU was started with; undefined if unknown. */
  readonly qemu: QemuMachine | undefined;
}

/** The codes of diagnostics on changed SMMUs of the host. */
const SMMU_CODES: ReadonlySet<DiagnosticCode> = new Set(['host-without-smmu']);

/** The codes of diagnostics on the places of host devices. */
const DEVICE_CODES: ReadonlySet<DiagnosticCode> = new Set([
  'device-missing',
  'device-bridge',
  'device-without-group',
  'device-behind-other-smmu',
  'device-behind-emulated-smmu',
  'device-without-iommufd',
  'group-behind-vsmmu',
  'group-direct-region',
]);

/** The codes of other diagnostics that matter to a running guest. Errors that only prevent a start are not among them. */
const PLATFORM_CODES: ReadonlySet<DiagnosticCode> = new Set([
  'numa-cell-differs',
  'pcihole64-too-small',
  'domain-without-gicv3',
  'iommu-ignored',
  'commandline-conflict',
]);

/** Plans a running domain as if it were defined in its running form, with the spelling of the libvirt that runs it. */
export function planRunning(live: Domain, host: Host, policy: Policy, options: PlanOptions): Running['plan'] {
  const { libvirt, qemu } = options.target ?? UPSTREAM;
  const dialect = dialectOf(live.iommus.flatMap(({ spellings }) => spellings));
  const target = { libvirt: { ...libvirt, dialect }, qemu };
  try {
    return plan(live, host, policy, { ...options, target, managed: managedDevicesOf(live) }).plan;
  } catch (error) {
    if (error instanceof RefusedError) return error.diagnostics;
    throw error;
  }
}

/** Compares the running definition with the host, with the plan for it, and with the definition for the next start. */
export function checkDomain(running: Running, forceTcg: boolean): readonly Check[] {
  const inspection = inspect(running.live, running.host, { forceTcg });
  const found = check(running.live, running.host, { forceTcg });
  const among = (codes: ReadonlySet<string>) => found.filter(({ code }) => codes.has(code));
  const devices = checkDevices(running, inspection, among(DEVICE_CODES));
  const known = new Set(found.map(({ code }) => code));
  const refused = isRefusal(running.plan) ? running.plan.filter(({ code }) => !known.has(code)) : [];
  return [
    checkSmmus(inspection, running.host, among(SMMU_CODES)),
    devices,
    checkPlatform(running, [...among(PLATFORM_CODES), ...refused], gradeOf(devices) === 'pass'),
    checkNextStart(running),
    checkDetached(running),
  ];
}

function isRefusal(made: Running['plan']): made is readonly Diagnostic[] {
  return Array.isArray(made);
}

function checkSmmus({ accelerated, tree }: Inspection, { smmus }: Host, findings: readonly Diagnostic[]): Check {
  const moved = accelerated.flatMap(({ bus, owner }) => {
    const named = addressOfAlias(tree.controller(bus)?.alias);
    if (owner === undefined || named === undefined || named === shortAddress(owner)) return [];
    return [smmuMoved({ controller: bus, address: named, smmu: owner })];
  });
  return {
    of: 'Domain',
    title: "that the host's SMMUs are the same",
    found: count(smmus.length, 'SMMU'),
    findings: [...findings, ...moved],
  };
}

function checkDevices({ live, plan: made }: Running, { accelerated }: Inspection, wrong: readonly Diagnostic[]): Check {
  const behind = new Set(accelerated.flatMap(({ hostDevices }) => hostDevices.map(({ bdf }) => bdf)));
  const devices = isRefusal(made) ? [] : made.devices;
  const outside = devices.filter(({ bdf, verdict }) => verdict === 'placed' && !behind.has(bdf));
  const findings = [...wrong, ...outside.map(({ bdf, smmu }) => deviceNotNested({ device: bdf, smmu: smmu ?? '' }))];
  return {
    of: 'Domain',
    title: 'that each device is behind its vSMMU',
    found: `${behind.size} of ${count(live.hostDevices.length, 'device')}`,
    findings,
    details: devices.flatMap(({ bdf, reason }) => (reason === null ? [] : [`${bdf} is behind no vSMMU: ${reason}`])),
  };
}

function checkPlatform({ plan: made }: Running, wrong: readonly Diagnostic[], nested: boolean): Check {
  // If a device is not where the plan has it, the rest of the plan does not apply to this domain.
  const changes = nested && !isRefusal(made) ? changesOf(made) : [];
  return {
    of: 'Domain',
    title: 'that the rest matches the plan',
    found: 'vSMMU values, NUMA cells and space for BARs',
    findings: [...wrong, ...changes.map((what) => planDiffers({ what }))],
  };
}

/** Returns what a plan changes besides the places of devices. */
function changesOf({ expanderBuses, numa, pcihole64 }: Plan): string[] {
  const kept = expanderBuses.filter((bus) => bus.kept);
  return [
    ...kept
      .filter(({ vsmmuChange }) => vsmmuChange === 'set')
      .map(({ controllerIndex }) => `the values of the vSMMU of PCI controller ${controllerIndex}`),
    ...kept
      .filter(({ node, nodeBefore }) => node !== nodeBefore)
      .map(({ controllerIndex }) => `the NUMA cell of PCI controller ${controllerIndex}`),
    ...(numa.created || numa.initiators.length > 0 ? ['the NUMA cells'] : []),
    ...(pcihole64 ? ['<pcihole64>'] : []),
  ];
}

function checkNextStart({ live, next, qemu }: Running): Check {
  const check = { of: 'Domain', title: 'that the next start changes nothing' } as const;
  if (!next) return { ...check, found: 'none: the domain is transient', findings: [] };
  const [now, then] = [partsOf(live), partsOf(next)];
  const missing = [...now.keys()].filter((key) => !then.has(key)).map((key) => `no ${now.get(key)}`);
  // A device that was detached only from the running guest is still in the definition for the next start.
  const detached = new Set(detachedDevices(live, next, qemu).map((device) => device.bdf));
  const added = [...then].flatMap(([key, part]) =>
    now.has(key) || [...detached].some((bdf) => key.startsWith(`${bdf} `)) ? [] : [part],
  );
  const findings = [...added, ...missing].map((what) => nextStartDiffers({ what }));
  return { ...check, found: 'same host devices and vSMMUs', findings };
}

/** Returns the relevant parts of a definition as text, by a key that identifies each part. */
function partsOf(domain: Domain): Map<string, string> {
  const parts = new Map<string, string>();
  for (const { bdf, address, iommufd, unassigned } of domain.hostDevices) {
    const place = address
      ? `at slot ${address.slot}.${address.function} of PCI controller ${address.bus}`
      : 'unassigned';
    parts.set([bdf, place, iommufd, unassigned].join(' '), `${bdf} ${place}`);
  }
  for (const { index, model, busNr } of domain.controllers) {
    if (EXPANDER_MODELS.has(model)) parts.set(`bus ${index} ${busNr}`, `expander bus ${index} with busNr ${busNr}`);
  }
  for (const { model, pciBus, values } of domain.iommus) {
    const words = [
      `${model} IOMMU`,
      pciBus === undefined ? 'for the machine' : `for PCI controller ${pciBus}`,
      ...Object.entries(values).map(([name, value]) => `${name}=${value}`),
    ];
    parts.set(words.join(' '), words.join(' '));
  }
  return parts;
}

function checkDetached({ live, next, qemu }: Running): Check {
  const check = { of: 'Domain', title: 'for devices detached since its start' } as const;
  if (!qemu) return { ...check, found: 'unknown without the command line of QEMU', findings: [] };
  const attached = live.hostDevices.filter((device) => !device.unassigned && !qemu.devices.has(aliasOf(device) ?? ''));
  const named = next ? detachedDevices(live, next, qemu).map(({ bdf }) => bdf) : [];
  const gone = detachedIds(live, qemu);
  const devices = named.length === gone.length ? named : gone;
  return {
    ...check,
    found:
      attached.length === 0 ? 'none was attached or detached' : `${count(attached.length, 'device')} attached since`,
    findings: devices.map((device) => deviceUnplugged({ device })),
    details: attached.map(({ bdf }) => `${bdf} was attached since`),
  };
}
