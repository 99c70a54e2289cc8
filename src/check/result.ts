import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { type CheckOptions, check } from './check.js';

/**
 * The errors that a check finds in the result of a conversion. One that the input had already is a warning, at its location
 * in the input; a new one is an error, and has no location since nobody has seen the lines that it is in.
 * @param before the domain as it was given
 * @param after as it would be written
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
  const told = new Set(reported.map(keyOf));
  return errors.flatMap((found): readonly Diagnostic[] => {
    if (told.has(keyOf(found))) return [];
    const { location: _, ...bare } = found;
    const earlier = known.get(keyOf(found));
    return [earlier ? { ...earlier, severity: 'warning' } : bare];
  });
}

/** Checks an edited domain; errors that it had before the edit are left out. */
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
