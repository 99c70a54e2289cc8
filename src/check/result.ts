import type { Diagnostic } from '../diagnostics.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { type CheckOptions, check } from './check.js';

/**
 * The errors that a check finds in what is to be written in place of a domain. What was wrong before has its place there;
 * what is wrong only afterwards has none, since nobody has seen the lines that it is in.
 * @param before the domain as it was given
 * @param after as it would be written
 */
export function errorsOfResult(
  before: Domain,
  after: Domain,
  host: Host | undefined,
  options: CheckOptions = {},
): readonly Diagnostic[] {
  const errors = check(after, host, options).filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return [];
  const known = new Map(check(before, host, options).map((found) => [keyOf(found), found]));
  return errors.map((found) => {
    const { place: _, ...bare } = found;
    return known.get(keyOf(found)) ?? bare;
  });
}

const keyOf = ({ code, message }: Diagnostic): string => `${code}: ${message}`;
