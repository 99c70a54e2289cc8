import { describe, expect, it } from 'vitest';
import { validate } from '../../src/generated/policy.validate.js';
import { checkJson, parseJson } from '../../src/host/json.js';

const check = (value: unknown) => () => checkJson(value, 'policy.json', 'topology-invalid', validate, '/at');

describe('a value that does not fit its schema', () => {
  it.each<[title: string, value: unknown, message: string]>([
    ['of the wrong type', { sparePorts: 'two' }, '/at/sparePorts: must be integer, not "two"'],
    ['out of its range', { busWindow: 300 }, '/at/busWindow: must be <= 255, not 300'],
    ['of none of the alternatives', { ssidsize: 21 }, '/at/ssidsize: must be "auto" or must be <= 20, not 21'],
    ['below another', { bypass: ['0000:11:00.0', '11:00'] }, '/at/bypass/1: must match pattern'],
    ['with a name that is not known', { spareports: 1 }, '/at: must not have "spareports"'],
    ['that is no object', 7, '/at: must be object, not 7'],
  ])('is named by its path: one %s', (_, value, message) => {
    expect(check(value)).toThrow(message);
  });
});

describe('a text that is no JSON', () => {
  it('is not repeated in what is said of it', () => {
    expect(() => parseJson('password=secret', 'policy.json', 'topology-invalid')).toThrow(
      /^no JSON: Unexpected token 'p'$/,
    );
  });

  it('may begin with a byte order mark', () => {
    expect(parseJson('\uFEFF{}', 'policy.json', 'topology-invalid')).toEqual({});
  });
});
