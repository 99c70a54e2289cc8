import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Location } from './diagnostics/diagnostic.js';
import { InputError } from './diagnostics/errors.js';
import type { JsonDefinition } from './diagnostics/json.js';
import { nearest } from './nearest.js';

/**
 * Parses a JSON text.
 * @throws InputError if it is invalid or an object has a key twice, with the location if it is known
 */
export function parseJson(text: string, file: string, definition: JsonDefinition): unknown {
  const withoutMark = text.replace(/^\uFEFF/, '');
  let value: unknown;
  try {
    value = JSON.parse(withoutMark);
  } catch (error) {
    const { message } = error as SyntaxError;
    const [, position] = / at position (\d+)/.exec(message) ?? [];
    // V8 quotes the invalid text, which is untrusted input: only V8's own words before it are repeated.
    const [reason] = message.split(/, "| in JSON/, 1);
    const location = position === undefined ? undefined : locationOf(withoutMark, Number(position));
    throw new InputError(definition.notJson({ reason: reason ?? '', file, location }));
  }
  const duplicate = findDuplicateKey(withoutMark);
  if (duplicate) {
    const location = locationOf(withoutMark, duplicate.offset);
    throw new InputError(definition.duplicateKey({ key: duplicate.key, file, location }));
  }
  return value;
}

const COLON = /[ \t\r\n]*:/y;

/** Finds the first key that an object of a JSON text has twice: JSON.parse would silently keep the last value. */
function findDuplicateKey(text: string): { readonly key: string; readonly offset: number } | undefined {
  const objects: Set<unknown>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') objects.push(new Set());
    else if (character === '}') objects.pop();
    if (character !== '"') continue;
    const start = at;
    for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
    COLON.lastIndex = at + 1;
    if (!COLON.test(text)) continue;
    const written = text.slice(start, at + 1);
    const key: unknown = JSON.parse(written);
    if (objects.at(-1)?.has(key)) return { key: written.slice(0, 60), offset: start };
    objects.at(-1)?.add(key);
  }
  return undefined;
}

/**
 * Checks a value against its schema.
 * @throws InputError with the path of the first value that does not fit, a JSON Pointer below `path`; for an unknown
 * key it suggests one of `keys`
 */
export function checkJson<T>(
  value: unknown,
  file: string,
  definition: JsonDefinition,
  validate: ValidateFunction<T>,
  { path = '', keys = [] }: { readonly path?: string; readonly keys?: readonly string[] } = {},
): asserts value is T {
  if (validate(value)) return;
  const errors = validate.errors ?? [];
  const [below, constraint] = describeErrors(errors);
  const [unknown] = errors.filter(({ keyword }) => keyword === 'additionalProperties');
  const suggested = unknown && nearest(String(unknown.params.additionalProperty), keys);
  throw new InputError(definition.misfit({ path: path + below, constraint, nearest: suggested, file }));
}

function locationOf(text: string, offset: number): Location {
  const lines = text.slice(0, offset).split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

/**
 * Returns path and message for errors of Ajv, which stops at the first value that does not fit, but reports each
 * alternative of an `anyOf`.
 */
function describeErrors(errors: readonly ErrorObject[]): [path: string, message: string] {
  const alternatives = errors.length > 1 ? errors.filter((error) => error.keyword !== 'anyOf') : errors;
  const [{ instancePath, data } = { instancePath: '', data: undefined }] = alternatives;
  const value = isScalar(data) ? `, not ${JSON.stringify(data).slice(0, 60)}` : '';
  return [instancePath, alternatives.map(requirementOf).join(' or ') + value];
}

function requirementOf({ keyword, params, message = 'does not fit the schema' }: ErrorObject): string {
  switch (keyword) {
    case 'additionalProperties':
      return `must not have ${JSON.stringify(params.additionalProperty).slice(0, 60)}`;
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
