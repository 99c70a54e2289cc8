import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { InputError } from '../../src/diagnostics/errors.js';
import { parseXml } from '../../src/xml/document.js';

/** Returns the diagnostic for which the input is refused. Throws an Error if it is accepted. */
export function refusal(input: string | Uint8Array): Diagnostic {
  try {
    parseXml(input);
  } catch (error) {
    if (error instanceof InputError && error.diagnostics[0] !== undefined) return error.diagnostics[0];
    throw error;
  }
  throw new Error('it was accepted');
}

/** Returns the refusal as `line:column: message`. */
export function messageOf(input: string | Uint8Array): string {
  const { location, message } = refusal(input);
  return `${location?.line}:${location?.column}: ${message}`;
}
