import type { Diagnostic } from '../diagnostics/diagnostic.js';

/** `pass`: as expected. `warn`: needs attention. `fail`: not nested, or not working. */
export type Grade = 'pass' | 'warn' | 'fail';

/** One check: a line of the result. */
export interface Check {
  /** The part that was checked: libvirt's definition, the host, QEMU or the guest. */
  readonly of: 'Domain' | 'Host' | 'QEMU' | 'Guest';
  /** A phrase that follows "Checking". */
  readonly title: string;
  /** The result to show if nothing is wrong. */
  readonly found: string;
  /** The problems found. Notes do not affect the grade. */
  readonly findings: readonly Diagnostic[];
  /** Details of the result, one per line. */
  readonly details?: readonly string[];
}

/** Returns the grade of a check, which depends on its worst finding. */
export function gradeOf({ findings }: Check): Grade {
  const has = (severity: Diagnostic['severity']) => findings.some((finding) => finding.severity === severity);
  return has('error') ? 'fail' : has('warning') ? 'warn' : 'pass';
}
