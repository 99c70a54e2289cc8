import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/gh200.json'];
const DOMAIN = 'samples/domains/gh200-vm.xml';
const COMMANDS: readonly (readonly [title: string, ...args: string[]])[] = [
  ['plan', 'plan', '--quiet', ...HOST, DOMAIN],
  ['topology', 'topology', ...HOST],
];

describe.each(COMMANDS)('the picture of vsmmu %s', (_, ...command) => {
  it('is written to the file of --svg, and nothing to standard output', () => {
    const file = join(temporaryFolder(), 'picture.svg');
    expect(vsmmu([...command, '--svg', file])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg [\s\S]*0009:01:00\.0[\s\S]*<\/svg>\n$/);
  });

  it('is written to standard output with --svg -', () => {
    expect(vsmmu([...command, '--svg', '-'])).toMatchObject({ code: 0, stderr: '' });
    expect(vsmmu([...command, '--svg', '-']).stdout).toMatch(/^<svg /);
  });

  it('replaces an existing file', () => {
    const file = join(temporaryFolder(), 'picture.svg');
    writeFileSync(file, '<?xml version="1.0"?>\n<svg/>\n');
    expect(vsmmu([...command, '--svg', file]).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('vsmmu-picture');
  });

  it('is written to the file, and the JSON document to standard output', () => {
    const file = join(temporaryFolder(), 'picture.svg');
    const { stdout } = vsmmu([...command, '--json', '--svg', file]);
    expect(JSON.parse(stdout)).toHaveProperty('changed');
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg /);
  });

  it('is SVG with --format svg', () => {
    expect(vsmmu([...command, '--format', 'svg']).stdout).toBe(vsmmu([...command, '--svg', '-']).stdout);
  });

  it('is DOT with --format dot', () => {
    expect(vsmmu([...command, '--format', 'dot']).stdout).toMatch(/^digraph "/);
  });

  it('is text with --format text and by default', () => {
    expect(vsmmu([...command, '--format', 'text'])).toEqual(vsmmu(command));
  });

  it.each<[title: string, args: string[], message: RegExp]>([
    ['an unknown format', ['--format', 'pdf'], /--format takes text, dot or svg, not pdf/],
    ['--json and --format dot', ['--json', '--format', 'dot'], /exclude each other/],
    ['--json and --svg -', ['--json', '--svg', '-'], /exclude each other/],
    ['--svg and --format', ['--svg', 'x', '--format', 'dot'], /exclude each other/],
    ['--svg without a file', ['--svg', ''], /--svg takes a file/],
  ])('is refused for %s', (_, args, message) => {
    const { code, stderr } = vsmmu([...command, ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('is an environment error if the folder does not exist', () => {
    expect(vsmmu([...command, '--svg', '/nowhere/at/all.svg'])).toMatchObject({ code: 3, stdout: '' });
  });
});

it('does not overwrite the domain if --svg is followed by the domain', () => {
  const file = join(temporaryFolder(), 'vm.xml');
  const xml = readFileSync(join(REPOSITORY, DOMAIN), 'utf8');
  writeFileSync(file, xml);
  const { code, stderr } = vsmmu(['plan', ...HOST, '--svg', file], xml);
  expect([code, readFileSync(file, 'utf8')]).toEqual([2, xml]);
  expect(stderr).toContain('which is not an SVG file');
});
