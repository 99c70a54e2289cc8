/** A PCI function as messages name it. */
export interface NamedFunction {
  readonly bdf: string;
  readonly bridge: boolean;
}

/** The maximum number of names in a list. A longer list ends with the number of names that are left out. */
const MAX_NAMES = 8;

/** Returns a number with its noun: `1 device`, `2 devices`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Joins names: `a, b and c`. */
export function listNames(names: readonly string[]): string {
  const shown = names.length > MAX_NAMES ? [...names.slice(0, MAX_NAMES), `${names.length - MAX_NAMES} more`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}` : shown.join('');
}

/** Joins the names of functions: `0000:31:00.0 and the bridge 0000:30:00.0`. */
export function nameFunctions(functions: readonly NamedFunction[]): string {
  return listNames(functions.map(({ bdf, bridge }) => (bridge ? `the bridge ${bdf}` : bdf)));
}

/** Quotes a line of a log for the middle of a message. */
export const quoted = (line: string): string => `"${line}"`;
