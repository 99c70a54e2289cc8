import { existsSync } from 'node:fs';
import { isRemote } from '../batch/uri.js';
import { resultDiagnostics } from '../check/result.js';
import type { Diagnostic } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { rewrite } from '../edit/rewrite.js';
import { readRecord } from '../edit/undo/record.js';
import { managedDevicesOf } from '../edit/undo/recorded.js';
import type { Plan } from '../generated/plan.js';
import { Host } from '../host/host.js';
import { KERNEL_LOG, type KernelLog } from '../host/kernel-log.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { whyNotApplicable } from '../plan/applicable.js';
import { needsWholeHost } from '../plan/initiators.js';
import { plan } from '../plan/plan.js';
import type { Policy } from '../plan/policy.js';
import { type Target, UPSTREAM } from '../plan/target.js';
import { namesValues } from '../plan/vsmmu.js';
import { readTextFile } from './files.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { wantsPicture } from './picture.js';
import { type Located, refuseErrors, withFile } from './report.js';
import { readSource, requireItsHost, type Source, type Wanted } from './source.js';

/** A domain with the plan for it. */
export interface Placed {
  readonly source: Source;
  /** Its text. */
  readonly before: string;
  /** What the plan is of: with `relayout` the domain without its expander buses. */
  readonly domain: Domain;
  /** As much of it as was needed. */
  readonly host: Host;
  readonly plan: Plan;
  /** What the plan makes of it. */
  readonly after: Domain;
  /** All with a file and a place: what is said of the domain as a whole is said of its first line. */
  readonly diagnostics: readonly Located[];
}

/**
 * Reads a domain, the policy and the host of a command line, plans, and carries the plan out. Nothing comes of it that a
 * check calls an error.
 * @throws DiagnosedError as each of them does; RefusedError, too, for a warning with `--strict`
 */
export async function place(operand: string, options: OptionValues, wanted?: Wanted): Promise<Placed> {
  requireItsHost(options);
  // What is wrong with the policy is told before anything is read.
  policyOf(options);
  return await placeSource(await readSource(operand, options, wanted), options);
}

/** How a domain is placed, where that is not told by options. */
export interface Settings {
  readonly policy: Policy;
  readonly target: Target;
}

/** Places the devices of a domain that was read already, as `place` does. */
export async function placeSource(source: Source, options: OptionValues, settings?: Settings): Promise<Placed> {
  const { policy, target } = settings ?? { policy: policyOf(options), target: await targetOf(options) };
  const given = parseDomain(source.input);
  const { relayout } = policy;
  const { domain, diagnostics } = relayout
    ? (await import('../edit/undo/relayout.js')).withoutExpanderBuses(given)
    : { domain: given, diagnostics: readRecord(given).diagnostics };
  const host = hostFor(domain, policy, options);
  const forceTcg = isSet(options, 'force-tcg');
  const unkept = settings || whyNotApplicable(domain) ? [] : await reportInstalled(options);
  const planned = refuseErrors(withFile(given, source.name, options), () => {
    const { plan: made, diagnostics: found } = plan(domain, host, policy, {
      forceTcg,
      target,
      ours: managedDevicesOf(domain),
    });
    const after = made.changed ? parseDomain(rewrite(domain, made)) : domain;
    const checked = whyNotApplicable(domain) ? [] : resultDiagnostics(given, after, host, { forceTcg, target }, found);
    // The lines of a domain that is nowhere but here say nothing to anybody.
    const dropped = made.devices.some(({ verdict }) => verdict === 'placed') ? unkept : [];
    const told = [...found, ...checked, ...dropped].map((d) => (relayout ? withoutLocation(d) : d));
    return { plan: made, after, diagnostics: [...diagnostics, ...told] };
  });
  return { source, host, before: given.document.text, domain, ...planned };
}

function withoutLocation({ location: _, ...found }: Diagnostic): Diagnostic {
  return found;
}

const NO_HOST = new Host({ version: 1, smmus: [], devices: [], nodes: [] });

/** As much of the host as a domain needs: nothing for one that is not ours to change, its own devices for most, all for a picture. */
export function hostFor(domain: Domain, policy: Policy, options: OptionValues): Host {
  const file = value(options, 'topology');
  if (file !== undefined) return readTopology(readTextFile(file), file);
  if (whyNotApplicable(domain)) return NO_HOST;
  const own = new Set(domain.hostDevices.map((d) => d.bdf));
  const sysfs = sysfsOf(options);
  // What the SMMUs can do is for holding values against it.
  const log = namesValues(policy) ? kernelLogOf(options) : undefined;
  if (policy.expanderBuses === 'all' || wantsPicture(options)) return scanHost(sysfs, undefined, log);
  const host = scanHost(sysfs, own, log);
  return needsWholeHost(domain.hostDevices, host, policy) ? scanHost(sysfs, undefined, log) : host;
}

/** The libvirt and the QEMU that the result is for: this machine's where the domain is of its libvirt. */
export async function targetOf(options: OptionValues): Promise<Target> {
  const connect = value(options, 'connect');
  const ours = connect !== undefined && !isRemote(connect) ? 'here' : undefined;
  const asked = { libvirt: value(options, 'libvirt') ?? ours, qemu: value(options, 'qemu') ?? ours };
  if (asked.libvirt === undefined && asked.qemu === undefined) return UPSTREAM;
  const { askTarget } = await import('../libvirt/installed.js');
  return askTarget(asked);
}

/** A warning where the result is for no libvirt in particular, and the one of this machine could not keep it. */
export async function reportInstalled(options: OptionValues): Promise<readonly Diagnostic[]> {
  if (value(options, 'libvirt') !== undefined || value(options, 'connect') !== undefined) return [];
  const folder = process.env.VSMMU_LIBVIRT_SCHEMAS || '/usr/share/libvirt/schemas';
  if (!existsSync(folder)) return [];
  return (await import('../libvirt/installed.js')).reportOldLibvirt(folder);
}

/** The folder to take for `/sys`. */
export function sysfsOf(options: OptionValues): string {
  return value(options, 'sysfs') ?? LIVE_SYSFS;
}

/** What this machine's kernel shows; any other folder is of who knows which machine. */
const LIVE_SYSFS = '/sys';

/** The log of the kernel whose sysfs is scanned; of a copy there is none. */
export function kernelLogOf(options: OptionValues): KernelLog {
  return sysfsOf(options) === LIVE_SYSFS ? KERNEL_LOG : () => [];
}
