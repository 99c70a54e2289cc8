import type { ErrorObject, ValidateFunction } from 'ajv';
import { type DiagnosticCode, diagnostic, InputError, type Place } from '../diagnostics.js';

/** The value of a JSON text. Throws an InputError where it is none, with the place in it where V8 tells one. */
export function parseJson(text: string, file: string, code: DiagnosticCode): unknown {
  const withoutMark = text.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(withoutMark);
  } catch (error) {
    const { message } = error as SyntaxError;
    const [, position] = / at position (\d+)/.exec(message) ?? [];
    // V8 quotes the text that it stumbles over, whatever that holds: only its own words before that are repeated.
    const [reason] = message.split(/, "| in JSON/, 1);
    throw new InputError(
      diagnostic(code, `no JSON: ${reason}`, {
        file,
        place: position === undefined ? undefined : placeOf(withoutMark, Number(position)),
      }),
    );
  }
}

/** Throws an InputError with the path of the first value that does not fit its schema (a JSON Pointer below `path`). */
export function checkJson(
  value: unknown,
  file: string,
  code: DiagnosticCode,
  validate: ValidateFunction,
  path = '',
): void {
  if (validate(value)) return;
  const [below, message] = complaint(validate.errors?.[0]);
  throw misfit(file, code, path + below, message);
}

/** The error for a value of a JSON file that is not as it must be; `path` is a JSON Pointer, empty for the whole. */
export function misfit(file: string, code: DiagnosticCode, path: string, message: string): InputError {
  return new InputError(diagnostic(code, `${path || '/'}: ${message}`, { file }));
}

function placeOf(text: string, offset: number): Place {
  const lines = text.slice(0, offset).split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

function complaint(error: ErrorObject | undefined): [path: string, message: string] {
  const { instancePath = '', keyword, params = {}, message = 'does not fit the schema', data } = error ?? {};
  switch (keyword) {
    case 'additionalProperties':
      return [instancePath, `must not have ${JSON.stringify(params.additionalProperty)}`];
    case 'required':
      return [instancePath, `must have ${JSON.stringify(params.missingProperty)}`];
    case 'enum':
      return [instancePath, `must be one of ${params.allowedValues.map((v: unknown) => JSON.stringify(v)).join(', ')}`];
    case 'const':
      return [instancePath, `must be ${JSON.stringify(params.allowedValue)}`];
    default:
      return [instancePath, `${message}${isScalar(data) ? `, not ${JSON.stringify(data).slice(0, 60)}` : ''}`];
  }
}

const isScalar = (value: unknown): boolean => value !== undefined && (typeof value !== 'object' || value === null);
