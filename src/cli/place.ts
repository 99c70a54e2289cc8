import { type Diagnostic, RefusedError } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import type { Plan } from '../generated/plan.js';
import { Host } from '../host/host.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { whyNotOurs } from '../plan/applicable.js';
import { needsWholeHost } from '../plan/initiators.js';
import { plan } from '../plan/plan.js';
import type { Policy } from '../plan/policy.js';
import { type Target, UPSTREAM } from '../plan/target.js';
import { nameOfInput, readInput, readTextFile } from './files.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { applyStrictness, type Located } from './report.js';

/** A domain with the plan for it. */
export interface Placed {
  /** The bytes that came in. */
  readonly input: Uint8Array;
  readonly domain: Domain;
  readonly plan: Plan;
  /** All with a file and a place: what is said of the domain as a whole is said of its first line. */
  readonly diagnostics: readonly Located[];
}

/**
 * Reads a domain, the policy and the host of a command line, and plans.
 * @throws DiagnosedError as each of them does; RefusedError, too, for a warning with `--strict`
 */
export async function place(file: string, options: OptionValues): Promise<Placed> {
  const policy = policyOf(options);
  const target = await targetOf(options);
  const input = await readInput(file);
  const domain = parseDomain(input);
  const host = hostFor(domain, policy, options);
  const where = { file: nameOfInput(file), place: domain.document.place(domain.document.root.start) };
  const locate = (found: readonly Diagnostic[]): readonly Located[] =>
    applyStrictness(found, options).map((d) => ({ ...where, ...d }));
  try {
    const planned = plan(domain, host, policy, { forceTcg: isSet(options, 'force-tcg'), target });
    const diagnostics = locate(planned.diagnostics);
    if (diagnostics.some((d) => d.severity === 'error')) throw new RefusedError(diagnostics);
    return { input, domain, plan: planned.plan, diagnostics };
  } catch (error) {
    throw error instanceof RefusedError ? new RefusedError(locate(error.diagnostics)) : error;
  }
}

const NO_HOST = new Host({ version: 1, smmus: [], devices: [], nodes: [] });

/** As much of the host as a domain needs: nothing for one that is not ours to change, its own devices for most. */
function hostFor(domain: Domain, policy: Policy, options: OptionValues): Host {
  const file = value(options, 'topology');
  if (file !== undefined) return readTopology(readTextFile(file), file);
  if (whyNotOurs(domain)) return NO_HOST;
  const own = new Set(domain.hostDevices.map((d) => d.bdf));
  const sysfs = sysfsOf(options);
  if (policy.bridges === 'all') return scanHost(sysfs);
  const host = scanHost(sysfs, own);
  return needsWholeHost(domain.hostDevices, host, policy) ? scanHost(sysfs) : host;
}

/** The libvirt and the QEMU that the result is for. */
async function targetOf(options: OptionValues): Promise<Target> {
  const asked = { libvirt: value(options, 'libvirt'), qemu: value(options, 'qemu') };
  if (asked.libvirt === undefined && asked.qemu === undefined) return UPSTREAM;
  const { askTarget } = await import('../libvirt/installed.js');
  return askTarget(asked);
}

/** The folder to take for `/sys`. */
export function sysfsOf(options: OptionValues): string {
  return value(options, 'sysfs') ?? '/sys';
}
