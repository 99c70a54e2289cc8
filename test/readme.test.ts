import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CODES } from '../src/codes.js';
import { policyKeys } from '../src/plan/policy.js';
import { REPOSITORY } from './cli/run.js';

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** The text of every file of src/, by path. */
const sources = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('generated') && file !== 'codes.ts')
  .map((file) => readFileSync(join(REPOSITORY, 'src', file), 'utf8'));

describe('the tables of the README: the codes of diagnostics', () => {
  it('are all in the table of the README, and nothing else is', () => {
    const rows = [...readme.matchAll(/^\| `([a-z0-9-]+)` \| (error|warning|note) \| (.*) \|$/gm)];
    const table = rows.map(([, code, severity, meaning]) => [code, severity, meaning]);
    const codes = Object.entries(CODES).map(([code, { severity, meaning }]) => [code, severity, meaning]);
    expect(table).toEqual(codes);
  });

  it('have beside them every key of the policy, with its option and default', () => {
    for (const { key, description, default: value } of policyKeys()) {
      const option = key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
      expect(readme).toContain(`| \`${key}\` | \`--${option}\` | \`${JSON.stringify(value)}\` | ${description} |`);
    }
  });

  it.each(Object.keys(CODES))('are all used: %s', (code) => {
    expect(sources.some((text) => text.includes(`'${code}'`))).toBe(true);
  });

  it.each(Object.entries(CODES))('say one line each, without a full stop: %s', (_, { meaning, ...info }) => {
    for (const line of [meaning, 'hint' in info ? String(info.hint) : 'x']) {
      expect(line).toMatch(/^[^\n]*[^\n.]$/);
    }
  });
});
