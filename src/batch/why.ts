import type { Diagnostic } from '../diagnostics/diagnostic.js';

/** Why nothing came of a domain, in words: the first error of what was found, or else the first finding. */
export function whyOf(diagnostics: readonly Diagnostic[]): string {
  const first = diagnostics.find((d) => d.severity === 'error') ?? diagnostics[0];
  return first ? first.message : '';
}
