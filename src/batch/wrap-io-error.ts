import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { describeIoError, systemCode } from '../io/errors.js';

/** The definition of a diagnostic for system errors of a file. */
interface IoDefinition {
  system(args: { readonly error: string; readonly file: string }): Diagnostic;
}

/** Converts a system error to an EnvironmentError, such as `file: no space left on device`. Throws any other error. */
export function toEnvironmentError(code: IoDefinition, file: string, error: unknown): EnvironmentError {
  if (error instanceof EnvironmentError) return error;
  if (systemCode(error) === undefined) throw error;
  return new EnvironmentError(code.system({ error: describeIoError(error), file }));
}

/** Runs an action on a file. @throws EnvironmentError for a system error */
export function wrapIoError<T>(code: IoDefinition, file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw toEnvironmentError(code, file, error);
  }
}

/** Does the same as `wrapIoError` for an asynchronous action. */
export async function wrapIoErrorAsync<T>(code: IoDefinition, file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toEnvironmentError(code, file, error);
  }
}
