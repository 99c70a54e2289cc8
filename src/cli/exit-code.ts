import { type DiagnosedError, EnvironmentError, InputError } from '../diagnostics/errors.js';

/**
 * Returns the exit code for an error: 1 for a refusal, 2 if the input or the command line is wrong, 3 for a failure
 * outside vsmmu.
 */
export function exitCodeOf(error: DiagnosedError): number {
  return error instanceof InputError ? 2 : error instanceof EnvironmentError ? 3 : 1;
}
