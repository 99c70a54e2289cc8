import { existsSync } from 'node:fs';
import { isRemote } from '../batch/uri.js';
import { type Converted, convert } from '../convert.js';
import type { Diagnostic } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { type Target, UPSTREAM } from '../domain/target.js';
import { Host } from '../host/host.js';
import { KERNEL_LOG, type KernelLog } from '../host/kernel-log.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { whyNotApplicable } from '../plan/applicable.js';
import { needsWholeHost } from '../plan/initiators.js';
import type { Policy } from '../plan/policy.js';
import { namesValues } from '../plan/vsmmu.js';
import { readTextFile } from './files.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { wantsPicture } from './picture.js';
import { type Located, refuseErrors, withFile } from './report.js';
import { readSource, requireItsHost, type Source, type Wanted } from './source.js';

/** A domain of a command line, converted. */
export interface Placed extends Converted {
  readonly source: Source;
  /** The domain's text. */
  readonly before: string;
  /** As much of the host as was needed. */
  readonly host: Host;
  /** Each with a file and a location; those without a location of their own get that of the domain's first line. */
  readonly diagnostics: readonly Located[];
}

/**
 * Reads the domain, the policy and the host of a command line, and converts the domain.
 * @throws DiagnosedError as each step does; RefusedError also for a warning with `--strict`
 */
export async function place(operand: string, options: OptionValues, wanted?: Wanted): Promise<Placed> {
  requireItsHost(options);
  // Errors of the policy are reported before anything is read.
  policyOf(options);
  return await placeSource(await readSource(operand, options, wanted), options);
}

/** Converts a domain that was read already, as `place` does. Settings that are given take precedence over the options. */
export async function placeSource(
  source: Source,
  options: OptionValues,
  settings?: { readonly policy: Policy; readonly target: Target },
): Promise<Placed> {
  const { policy, target } = settings ?? { policy: policyOf(options), target: await targetOf(options) };
  const domain = parseDomain(source.input);
  const host = hostFor(domain, policy, options);
  const unkept = settings || whyNotApplicable(domain) ? [] : await reportInstalled(options);
  const converted = refuseErrors(withFile(domain, source.name, options), () => {
    const settings = { policy, target, forceTcg: isSet(options, 'force-tcg'), strict: isSet(options, 'strict') };
    const result = convert(domain, host, settings);
    const placesDevice = result.plan.devices.some(({ verdict }) => verdict === 'placed');
    return placesDevice ? { ...result, diagnostics: [...result.diagnostics, ...unkept] } : result;
  });
  return { source, host, before: domain.document.text, ...converted };
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
