import type { Diagnostic } from '../diagnostics/diagnostic.js';

/** `pass`: as it should be. `warn`: look at it. `fail`: not nested, or not working. */
export type Grade = 'pass' | 'warn' | 'fail';

/** One check: a line of the result. */
export interface Check {
  /** Where it was checked: in libvirt's definition, on the host, in QEMU or in the guest. */
  readonly of: 'Domain' | 'Host' | 'QEMU' | 'Guest';
  /** In words that follow "Checking". */
  readonly title: string;
  /** What was found, where nothing is wrong. */
  readonly found: string;
  /** What is wrong; a note is not. */
  readonly findings: readonly Diagnostic[];
  /** What there is, one by one. */
  readonly details?: readonly string[];
}

/** How a check ended: as bad as its worst finding. */
export function gradeOf({ findings }: Check): Grade {
  const has = (severity: Diagnostic['severity']) => findings.some((finding) => finding.severity === severity);
  return has('error') ? 'fail' : has('warning') ? 'warn' : 'pass';
}

/** `1 device`, `2 devices`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
