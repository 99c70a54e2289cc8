import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { isVirtMachine } from '../plan/applicable.js';
import { type CheckOptions, inspect } from './inspection.js';
import { RULES, RULES_OF_ALL_MACHINES } from './rules.js';

export type { CheckOptions } from './inspection.js';

/**
 * Finds configurations that libvirt accepts but with which QEMU or the guest fails. The domain may be converted by vsmmu,
 * converted by hand or not converted. A pure function. Only a few rules apply to machines other than QEMU's `virt` for
 * `aarch64`.
 * @param domain read with `readDomain`, which accepts duplicates so that they are reported, too
 * @param host the host that runs the domain; if undefined, only the domain is checked
 * @returns the diagnostics, in document order
 */
export function check(domain: Domain, host: Host | undefined, options: CheckOptions = {}): readonly Diagnostic[] {
  const inspection = inspect(domain, host, options);
  const rules = isVirtMachine(domain) ? RULES : RULES_OF_ALL_MACHINES;
  return rules.flatMap((rule) => rule(inspection)).sort(byLocation);
}

/** The location of diagnostics about the whole domain, which come first. */
const START = { line: 0, column: 0 };

function byLocation({ location: a = START }: Diagnostic, { location: b = START }: Diagnostic): number {
  return a.line - b.line || a.column - b.column;
}
