import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../cli/run.js';

const text = (file: string) => readFileSync(file, 'utf8');

describe('writing to a descriptor', () => {
  const run = (line: string, folder: string) =>
    spawnSync('bash', ['-c', line, process.execPath, folder], { encoding: 'utf8' });
  const write = (to: string) =>
    `"$0" --import tsx -e 'const { replaceFile } = await import("./src/io/replace.ts"); await replaceFile("${to}", "new\\n")'`;

  it.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])(
    'appends at the position of %s, and loses no part of a log',
    (to) => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'log'), 'old\n');
      expect(run(`${write(to)} >> "$1/log"`, folder).stderr).toBe('');
      expect(text(join(folder, 'log'))).toBe('old\nnew\n');
    },
  );

  it('writes to standard error by its name', () => {
    const folder = temporaryFolder();
    expect(run(`${write('/dev/stderr')} 2> "$1/log"`, folder).stdout).toBe('');
    expect(text(join(folder, 'log'))).toBe('new\n');
  });

  it.each(['/dev/stdout', '/dev/fd/1'])('writes into %s if that is a pipe', (to) => {
    expect(run(`${write(to)} | cat`, '').stdout).toBe('new\n');
  });

  it('writes into the descriptor that a shell makes for a command', () => {
    const folder = temporaryFolder();
    run(`exec 7> >(cat > "$1/out"); ${write('/dev/fd/7')}; exec 7>&-; wait $!`, folder);
    expect(text(join(folder, 'out'))).toBe('new\n');
  });
});
