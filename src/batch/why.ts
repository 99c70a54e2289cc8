import type { Diagnostic } from '../diagnostics/diagnostic.js';

/** Returns why a domain was not converted: the message of the first error, or else of the first diagnostic. */
export function whyOf(diagnostics: readonly Diagnostic[]): string {
  const first = diagnostics.find((d) => d.severity === 'error') ?? diagnostics[0];
  return first ? first.message : '';
}
