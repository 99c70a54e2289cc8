import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { type CheckOptions, check } from './check.js';

/**
 * Returns the errors that a check finds in the result of a conversion. If the input had the same error, it becomes a warning at
 * its location in the input. A new error has no location, because the user has not seen the converted lines.
 * @param before the domain before the conversion
 * @param after the converted domain
 * @param reported the plan's diagnostics, which are not repeated
 */
export function resultDiagnostics(
  before: Domain,
  after: Domain,
  host: Host | undefined,
  options: CheckOptions = {},
  reported: readonly Diagnostic[] = [],
): readonly Diagnostic[] {
  const errors = check(after, host, options).filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return [];
  const had = after === before ? errors : check(before, host, options);
  const known = new Map(had.map((found) => [keyOf(found), found]));
  const inPlan = new Set(reported.map(keyOf));
  return errors.flatMap((found): readonly Diagnostic[] => {
    if (inPlan.has(keyOf(found))) return [];
    const { location: _, ...bare } = found;
    const earlier = known.get(keyOf(found));
    return [earlier ? { ...earlier, severity: 'warning' } : bare];
  });
}

/** Checks an edited domain, and leaves out errors that it had before the edit. */
export function newDiagnostics(
  before: Domain,
  after: Domain,
  host: Host | undefined,
  options: CheckOptions = {},
): Diagnostic[] {
  const had = new Set(check(before, host, options).map(keyOf));
  return check(after, host, options).filter((found) => found.severity !== 'error' || !had.has(keyOf(found)));
}

const keyOf = ({ code, message }: Diagnostic): string => `${code}: ${message}`;
