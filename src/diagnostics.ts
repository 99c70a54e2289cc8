import type { Context, Diagnostic } from './diagnostics/diagnostic.js';
import { define } from './diagnostics/diagnostic.js';
import { LEGACY } from './diagnostics/legacy.js';

export type { Diagnostic, Location, Severity } from './diagnostics/diagnostic.js';
export { DiagnosedError, EnvironmentError, InputError, RefusedError } from './diagnostics/errors.js';

/** The codes that have no definition with arguments yet. */
export type LegacyCode = keyof typeof LEGACY;

/** Makes a diagnostic of a code that has no definition with arguments yet. */
export function diagnostic(code: LegacyCode, message: string, context: Context = {}): Diagnostic {
  return define(code, { why: '', remedy: '', example: '', ...LEGACY[code], message })(context);
}

/** Diagnostics with each warning made an error. */
export function warningsAsErrors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
}
