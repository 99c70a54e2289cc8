import { describe, expect, it } from 'vitest';
import { InputError } from '../src/diagnostics/errors.js';
import { policyInvalid, topologyInvalid } from '../src/diagnostics/json.js';
import { validate } from '../src/generated/policy.validate.js';
import { checkJson, parseJson } from '../src/json.js';

const check = (value: unknown) => () =>
  checkJson(value, 'policy.json', topologyInvalid, validate, { path: '/at', keys: ['sparePorts'] });

describe('a value that does not conform to its schema', () => {
  it.each<[title: string, value: unknown, message: string]>([
    ['of the wrong type', { sparePorts: 'two' }, '/at/sparePorts: must be integer, not "two"'],
    ['out of its range', { sparePorts: 300 }, '/at/sparePorts: must be <= 32, not 300'],
    [
      'that matches none of the alternatives',
      { ssidsize: 21 },
      '/at/ssidsize: must be "auto" or must be <= 20, not 21',
    ],
    ['below another', { bypass: ['0000:11:00.0', '11:00'] }, '/at/bypass/1: must match pattern'],
    ['with an unknown name', { spareports: 1 }, '/at: must not have "spareports"'],
    ['that is not an object', 7, '/at: must be object, not 7'],
  ])('is named by its path: one %s', (_, value, message) => {
    expect(check(value)).toThrow(message);
  });
});

it('gives a suggestion for a misspelled key', () => {
  const { diagnostics } = caught(check({ spareports: 1 }));
  expect(diagnostics[0]?.hint).toBe('did you mean "sparePorts"?');
});

describe('a duplicate key of an object', () => {
  it.each<[title: string, text: string, line: number, column: number]>([
    ['in the outermost object', '{"a": 1,\n "b": 2, "a": 3}', 2, 10],
    ['in an inner object', '[{"a": {"x": 1, "x": 2}}]', 1, 17],
    ['written with an escape', '{"a": 1, "\\u0061": 2}', 1, 10],
    ['after white space', `{"a"${' '.repeat(1000)}: 1, "a": 2}`, 1, 1010],
  ])('is refused with its location: %s', (_, text, line, column) => {
    const { diagnostics } = caught(() => parseJson(text, 'policy.json', policyInvalid));
    expect(diagnostics).toMatchObject([
      {
        code: 'policy-invalid',
        message: expect.stringMatching(/^the key ".*" occurs twice$/),
        location: { line, column },
      },
    ]);
  });

  it.each(['[{"a": 1}, {"a": 2}]', '{"a": {"a": "a"}, "b": ["a", "a"]}', '{"a\\"": "\\\\", "a": "{\\"a\\": 1}"}'])(
    'is not a key of another object, and not a value: %s',
    (text) => {
      expect(parseJson(text, 'policy.json', policyInvalid)).toEqual(JSON.parse(text));
    },
  );
});

describe('a text that is not JSON', () => {
  it('is not repeated in the message', () => {
    expect(() => parseJson('password=secret', 'policy.json', topologyInvalid)).toThrow(
      /^not JSON: Unexpected token 'p'$/,
    );
  });

  it('may begin with a byte order mark', () => {
    expect(parseJson('\uFEFF{}', 'policy.json', topologyInvalid)).toEqual({});
  });
});

function caught(action: () => unknown): InputError {
  try {
    action();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}
