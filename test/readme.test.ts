import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withTables } from '../schemas/tables.js';
import { CODES } from '../src/codes.js';
import { REPOSITORY } from './cli/run.js';

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** The text of every file of src/, by path. */
const sources = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('generated') && file !== 'codes.ts')
  .map((file) => readFileSync(join(REPOSITORY, 'src', file), 'utf8'));

describe('the README', () => {
  it('has the tables that `npm run docs` writes', () => {
    expect(readme).toBe(withTables(readme));
  });
});

describe('the codes of diagnostics', () => {
  it.each(Object.keys(CODES))('are all used: %s', (code) => {
    expect(sources.some((text) => text.includes(`'${code}'`))).toBe(true);
  });

  it.each(Object.entries(CODES))('say one line each, without a full stop: %s', (_, { meaning, ...info }) => {
    for (const line of [meaning, 'hint' in info ? String(info.hint) : 'x']) {
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
