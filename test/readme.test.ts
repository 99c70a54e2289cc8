import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnosticsReference, policyReference } from '../schemas/tables.js';
import { BY_FILE, CODES } from '../src/diagnostics/codes.js';
import { documentText, REPOSITORY, withOutput } from './documents.js';

/** The texts of all files of src/. */
const sources = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('generated') && !file.startsWith('diagnostics/'))
  .map((file) => readFileSync(join(REPOSITORY, 'src', file), 'utf8'));

const camelCase = (code: string): string => code.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

describe('the codes of diagnostics', () => {
  it('are listed in src/diagnostics/README.md as `npm run docs` writes it', () => {
    expect(readFileSync(join(REPOSITORY, 'src/diagnostics/README.md'), 'utf8')).toBe(diagnosticsReference());
  });

  it.each(BY_FILE)('are exported under their own names: $file', async ({ file, definitions }) => {
    const names = Object.entries(await import(`../src/diagnostics/${file}.ts`)).filter(([, value]) =>
      Object.hasOwn(Object(value), 'info'),
    );
    expect(names.map(([name]) => name).sort()).toEqual(definitions.map(({ code }) => camelCase(code)).sort());
  });

  it.each(Object.keys(CODES))('are all used: %s', (code) => {
    const use = new RegExp(`\\b${camelCase(code)}\\b`);
    expect(sources.some((text) => use.test(text))).toBe(true);
  });

  it.each(Object.entries(CODES))('have one line each, without a full stop: %s', (_, { meaning, hint = 'x' }) => {
    for (const line of [meaning, hint]) {
      expect(line).toMatch(/^[^\n]*[^\n.]$/);
    }
  });
});

describe('the documents', () => {
  const documents = [
    ...['README.md', 'CONTRIBUTING.md'],
    ...['samples', 'schemas', 'src', 'test'].flatMap((folder) =>
      readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.md'))
        .map((file) => `${folder}/${file}`),
    ),
  ];

  /** Runs a command of a document as a user does, in the repository. */
  const run = (command: string) =>
    spawnSync('bash', ['-c', `vsmmu() { "${process.execPath}" bin/vsmmu "$@"; }; { ${command}; } 2>&1`], {
      cwd: REPOSITORY,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });

  it('include schemas/README.md as `npm run docs` writes it', () => {
    expect(documentText('schemas/README.md')).toBe(policyReference());
  });

  it.each(documents)('show what their commands print (-u updates it): %s', async (path) => {
    const text = documentText(path);
    const updated = await withOutput(text, '$', (command) => run(command).stdout);
    if (path === 'README.md') expect(text).toContain('$ npm start');
    await expect(updated).toMatchFileSnapshot(join(REPOSITORY, path));
  });

  it('include a README of less than 200 lines', () => {
    expect(documentText('README.md').split('\n').length).toBeLessThan(200);
  });

  it.each(documents)('have only links and `npm run` scripts that exist: %s', (path) => {
    const text = documentText(path);
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(REPOSITORY, dirname(path), link)), link).toBe(true);
    }
    const { scripts } = JSON.parse(documentText('package.json'));
    for (const [, script] of text.matchAll(/npm run (?:--\S+ )*([a-z:-]+)/g))
      expect(Object.keys(scripts)).toContain(script);
  });

  const examples = [
    ...documentText('samples/README.md')
      .replaceAll(/^```\n[\s\S]*?^```$/gm, '')
      .matchAll(/^ {4}((?:vsmmu|bin|node|diff) ?.*?)(?: +#.*)?$/gm),
  ];
  it('include a few samples', () => expect(examples.length).toBeGreaterThan(8));
  it.each(examples.map(([line, command = '']) => [command, line] as const))(
    'have samples that run: %s',
    (command, line) => {
      expect(run(command).status).toBe(Number(/# exit code (\d)/.exec(line)?.[1] ?? 0));
    },
  );

  it('begin with the five lines of npm start that say what was converted, what was not, and what to read next', () => {
    const lines = run('npm start --silent').stdout.split('\n');
    expect(lines.slice(5, 7)).toEqual(['', '--- samples/domains/ml-train.xml']);
  });
});
