import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOST, text } from '../cli/batch-sandbox.js';
import { REPOSITORY, temporaryFolder } from '../cli/run.js';

const NAMES = ['a.xml', 'b.xml', 'c.xml'];

/** Converts three files of the folder `in`. Returns the calls of all threads in their order. */
function callsOf(top: string, jobs: string, where: readonly string[]): readonly string[] {
  const [folder, calls] = [join(top, 'in'), join(top, 'calls')];
  mkdirSync(folder);
  for (const name of NAMES) writeFileSync(join(folder, name), text);
  const convert = ['convert', '--dir', folder, ...where, '--apply', '--topology', HOST];
  const program = ['-r', join(REPOSITORY, 'test/batch/log-calls.cjs'), join(REPOSITORY, 'bin/vsmmu'), 'batch'];
  execFileSync(process.execPath, [...program, ...convert, '--state', join(top, 'state'), '--jobs', jobs], {
    env: { ...process.env, CALLS: calls },
    stdio: 'pipe',
  });
  return readFileSync(calls, 'utf8').split('\n');
}

/** Expects that all lines were found, and that their numbers ascend. */
function expectInOrder(lines: readonly number[]): void {
  expect(lines.every((line) => line >= 0)).toBe(true);
  expect(lines).toEqual(lines.toSorted((a, b) => a - b));
}

describe('a batch that writes into another folder', () => {
  it.each(['1', '2'])('syncs each result to disk before the journal records it as written: %s threads', (jobs) => {
    const top = temporaryFolder();
    const lines = callsOf(top, jobs, ['--out', join(top, 'out')]);
    for (const name of NAMES) {
      const renamed = lines.findIndex((line) => line.startsWith('renamed') && line.endsWith(` ${name}`));
      const synced = lines.indexOf(`synced ${lines[renamed]?.split(' ')[1]}`);
      const settled = lines.findIndex((line) => line.includes('"written"') && line.includes(`"${name}"`));
      expectInOrder([synced, renamed, settled]);
    }
  });
});

describe('a batch that replaces files', () => {
  it.each(['1', '2'])('syncs each step, its folder included, before the next: %s threads', (jobs) => {
    const top = realpathSync(temporaryFolder());
    const lines = callsOf(top, jobs, ['--in-place']);
    const next = (line: number, text: string) => lines.findIndex((each, i) => i > line && each.startsWith(text));
    for (const name of NAMES) {
      const begun = lines.findIndex((line) => line.includes('"begin"') && line.includes(`"${name}"`));
      const { backup } = JSON.parse(lines[begun]?.replace('journal ', '') ?? '') as { backup: string };
      const kept = lines.findIndex(
        (line) => line.startsWith('renamed') && line.endsWith(backup.replace('backup/', ' ')),
      );
      const renamed = lines.findIndex((line) => line.startsWith('renamed') && line.endsWith(` ${name}`));
      const syncedOf = (line: number) => lines.indexOf(`synced ${lines[line]?.split(' ')[1]}`);
      const folder = lines[kept]?.split(' ')[1]?.replace(/\/[^/]*$/, '');
      const done = lines.findIndex((line) => line.includes('"done"') && line.includes(`"${name}"`));
      expectInOrder([syncedOf(kept), kept, next(kept, `synced ${folder}`), begun, renamed]);
      expectInOrder([syncedOf(renamed), renamed, next(renamed, `synced ${join(top, 'in')}`), done]);
    }
  });
});
