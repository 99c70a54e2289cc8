import { type DiagnosedError, EnvironmentError, InputError } from '../diagnostics/errors.js';

/** How a run ends that an error ended: 1 the answer is no, 2 the input or the command line is wrong, 3 the outside failed. */
export function exitCodeOf(error: DiagnosedError): number {
  return error instanceof InputError ? 2 : error instanceof EnvironmentError ? 3 : 1;
}
