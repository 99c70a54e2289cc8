import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnosticsReference, withTables } from '../schemas/tables.js';
import { BY_FILE, CODES } from '../src/diagnostics/codes.js';
import { REPOSITORY } from './cli/run.js';

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** The text of every file of src/, by path. */
const sources = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('generated') && !file.startsWith('diagnostics/'))
  .map((file) => readFileSync(join(REPOSITORY, 'src', file), 'utf8'));

describe('the README', () => {
  it('has the tables that `npm run docs` writes', () => {
    expect(readme).toBe(withTables(readme));
  });
});

const camelCase = (code: string): string => code.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

describe('the codes of diagnostics', () => {
  it('are listed in src/diagnostics/README.md as `npm run docs` writes it', () => {
    expect(readFileSync(join(REPOSITORY, 'src/diagnostics/README.md'), 'utf8')).toBe(diagnosticsReference());
  });

  it.each(BY_FILE.filter(({ file }) => file !== 'legacy'))(
    'are exported under their own names: $file',
    async ({ file, definitions }) => {
      const names = Object.entries(await import(`../src/diagnostics/${file}.ts`)).filter(([, value]) =>
        Object.hasOwn(Object(value), 'info'),
      );
      expect(names.map(([name]) => name).sort()).toEqual(definitions.map(({ code }) => camelCase(code)).sort());
    },
  );

  it.each(Object.keys(CODES))('are all used: %s', (code) => {
    const use = new RegExp(`\\b${camelCase(code)}\\b`);
    expect(sources.some((text) => use.test(text) || text.includes(`'${code}'`))).toBe(true);
  });

  it.each(Object.entries(CODES))('say one line each, without a full stop: %s', (_, { meaning, hint = 'x' }) => {
    for (const line of [meaning, hint]) {
      expect(line).toMatch(/^[^\n]*[^\n.]$/);
    }
  });
});

describe('what the README shows of commands', () => {
  const blocks = [...readme.matchAll(/^```\n(\$ vsmmu [\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  const runs = blocks
    .flatMap((block) => block.split(/^(?=\$ vsmmu )/m))
    .map((text): [string, string] => {
      const [line = '', ...output] = text.trimEnd().split('\n');
      return [line.slice(2), output.join('\n')];
    });

  it('includes what npm start prints', () => {
    const [, block] = /npm start\n[\s\S]*?```\n([\s\S]*?)```/.exec(readme) ?? [];
    const { stdout } = spawnSync(process.execPath, ['samples/start.mjs'], { cwd: REPOSITORY, encoding: 'utf8' });
    expect(stdout.trimEnd()).toBe(block?.trimEnd());
    // What was converted, what was not and why, and what to read next stand before the diff.
    expect(stdout.indexOf('\n---')).toBe(stdout.split('\n').slice(0, 5).join('\n').length + 1);
  });

  it('is something', () => expect(runs.length).toBeGreaterThan(3));

  it.each(runs)('is what they print: %s', (line, output) => {
    const script = `vsmmu() { "${process.execPath}" bin/vsmmu "$@"; }; { ${line}; } 2>&1`;
    const { stdout } = spawnSync('bash', ['-c', script], {
      cwd: REPOSITORY,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect(stdout.trimEnd()).toBe(output);
  });
});
