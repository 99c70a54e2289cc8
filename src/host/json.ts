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
  const [below, message] = complaint(validate.errors ?? []);
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

/** Ajv stops at the first value that does not fit, but tells of each alternative that an `anyOf` has for it. */
function complaint(errors: readonly ErrorObject[]): [path: string, message: string] {
  const alternatives = errors.length > 1 ? errors.filter((error) => error.keyword !== 'anyOf') : errors;
  const [{ instancePath, data } = { instancePath: '', data: undefined }] = alternatives;
  const value = isScalar(data) ? `, not ${JSON.stringify(data).slice(0, 60)}` : '';
  return [instancePath, alternatives.map(demand).join(' or ') + value];
}

function demand({ keyword, params, message = 'does not fit the schema' }: ErrorObject): string {
  switch (keyword) {
    case 'additionalProperties':
      return `must not have ${JSON.stringify(params.additionalProperty)}`;
    case 'required':
      return `must have ${JSON.stringify(params.missingProperty)}`;
    case 'enum':
      return `must be one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(', ')}`;
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`;
    default:
      return message;
  }
}

const isScalar = (value: unknown): boolean => value !== undefined && (typeof value !== 'object' || value === null);
