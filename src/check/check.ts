import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { isVirtMachine } from '../plan/applicable.js';
import { type CheckOptions, inspect } from './inspection.js';
import { RULES, RULES_OF_ALL_MACHINES } from './rules.js';

export type { CheckOptions } from './inspection.js';

/**
 * Looks for what libvirt accepts and QEMU or the guest does not survive, in a domain that was converted by us, by hand or not
 * at all. A pure function. Of machines other than QEMU's `virt` for `aarch64` it knows next to nothing, and says so little.
 * @param domain read with `readDomain`, which accepts duplicates, so that they are reported too
 * @param host the host that runs it; undefined: checks only what the domain alone shows
 * @returns the diagnostics, in document order
 */
export function check(domain: Domain, host: Host | undefined, options: CheckOptions = {}): readonly Diagnostic[] {
  const inspection = inspect(domain, host, options);
  const rules = isVirtMachine(domain) ? RULES : RULES_OF_ALL_MACHINES;
  return rules.flatMap((rule) => rule(inspection)).sort(byPlace);
}

/** What is said of the domain as a whole comes first. */
function byPlace({ location: a }: Diagnostic, { location: b }: Diagnostic): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
