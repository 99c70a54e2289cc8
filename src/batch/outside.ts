import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { describeIoError, systemCode } from '../io/errors.js';

/** The definition of a code for a file. */
interface IoDefinition {
  system(args: { readonly error: string; readonly file: string }): Diagnostic;
}

/** An error of the system, as what went wrong outside: `file: no space left on device`. */
export function asOutside(code: IoDefinition, file: string, error: unknown): EnvironmentError {
  if (error instanceof EnvironmentError) return error;
  if (systemCode(error) === undefined) throw error;
  return new EnvironmentError(code.system({ error: describeIoError(error), file }));
}

/** Does something with a file. @throws OutsideError for an error of the system */
export function wrapIoError<T>(code: IoDefinition, file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asOutside(code, file, error);
  }
}

/** As `outside`, for what takes its time. */
export async function outsideLater<T>(code: IoDefinition, file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw asOutside(code, file, error);
  }
}
