import { closest, distance } from 'fastest-levenshtein';

/** Returns the name that was probably meant; undefined if none is similar. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  // A name that is much longer than all others is not a typing error, and comparing it takes long.
  if (names.length === 0 || given.length > 100) return undefined;
  const near = closest(given, names);
  return distance(given, near) <= Math.max(2, given.length / 3) ? near : undefined;
}
