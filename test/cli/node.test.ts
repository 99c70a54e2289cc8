import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import pkg from '../../package.json' with { type: 'json' };
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

/** The programs that a user or another program starts. */
const PROGRAMS = ['vsmmu', 'onDefineDomain'];

/** Makes a fake Node that reports another version. */
function nodeOfVersion(version: string): string {
  const folder = temporaryFolder();
  const preload = join(folder, 'version.cjs');
  writeFileSync(preload, `Object.defineProperty(process.versions, 'node', { value: '${version}' });`);
  const node = join(folder, 'node');
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' -r '${preload}' "$@"\n`, { mode: 0o755 });
  return node;
}

/** Runs a program with a Node of another version in PATH. */
function startAs(version: string, program: string) {
  const env = { PATH: `${dirname(nodeOfVersion(version))}:/usr/bin:/bin` };
  return spawnSync(join(REPOSITORY, 'bin', program), ['--version'], { encoding: 'utf8', env });
}

describe('the programs', () => {
  it.each(
    PROGRAMS.flatMap((program) => ['10.24.1', '18.20.4', '20.18.3'].map((version) => [program, version] as const)),
  )('%s refuses Node %s in one line', (program, version) => {
    expect(startAs(version, program)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: `vsmmu needs Node.js 20.19 or newer; this is ${version}\n`,
    });
  });

  it.each(['20.19.0', '22.0.0', '100.1.0'])('run on Node %s', (version) => {
    expect(startAs(version, 'vsmmu')).toMatchObject({ status: 0, stdout: `${pkg.version}\n`, stderr: '' });
  });

  it('have no syntax that Node 10 cannot parse', () => {
    const text = readFileSync(join(REPOSITORY, 'bin/vsmmu'), 'utf8');
    const asWritten = transformSync(text, { target: 'esnext' }).code;
    expect(transformSync(text, { target: 'node10' }).code).toBe(asWritten);
  });

  it.each([
    ['warn', 0],
    ['enforce', 1],
  ])('cannot check a domain for the hook if Node is too old: with %s the hook exits with %i', (mode, code) => {
    const folder = temporaryFolder();
    const node = nodeOfVersion('18.20.4');
    expect(vsmmu(['hook', 'install', '--dir', folder, '--log', '', '--hook', mode]).code).toBe(0);
    const script = join(folder, 'qemu.d/vsmmu');
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^node=.*/m, `node='${node}'`));
    const run = spawnSync(script, ['vm', 'prepare', 'begin', '-'], { input: '<hostdev/>', encoding: 'utf8' });
    expect(run.status).toBe(code);
    expect(run.stderr).toMatch(/^vsmmu needs Node\.js 20\.19 or newer; this is 18\.20\.4\n/);
  });

  it('need the same Node version as the package', () => {
    expect(pkg.engines.node).toBe('>=20.19.0');
  });

  it('contain no code that a particular Node has compiled: all files of dist are text', () => {
    const files = readdirSync(join(REPOSITORY, 'dist'), { withFileTypes: true, recursive: true });
    const binary = files.filter(
      (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(0),
    );
    expect(binary.map((entry) => entry.name)).toEqual([]);
  });
});
