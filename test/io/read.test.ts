import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBelow } from '../../src/io/read.js';
import { temporaryFolder } from '../cli/run.js';

/** A folder `in` with the file `a/vm.xml`, and beside it a folder `secret` with a file of the same name. */
function folders(): { readonly folder: string; readonly secret: string } {
  const top = temporaryFolder();
  const [folder, secret] = [join(top, 'in'), join(top, 'secret')];
  mkdirSync(join(folder, 'a'), { recursive: true });
  mkdirSync(secret);
  writeFileSync(join(folder, 'a/vm.xml'), 'content', { mode: 0o640 });
  writeFileSync(join(secret, 'vm.xml'), 'secret');
  return { folder, secret };
}

describe('a file below a folder', () => {
  it('is read with its permissions', () => {
    const { bytes, mode } = readBelow(folders().folder, 'a/vm.xml');
    expect([bytes.toString(), mode]).toEqual(['content', 0o640]);
  });

  it('is read if the folder itself is a symbolic link', () => {
    const { folder } = folders();
    symlinkSync(folder, `${folder}-link`);
    expect(readBelow(`${folder}-link`, 'a/vm.xml').bytes.toString()).toBe('content');
  });

  it('is read only up to the size limit', () => {
    expect(readBelow(folders().folder, 'a/vm.xml', 6).bytes).toEqual(Buffer.alloc(7));
    expect(readBelow(folders().folder, 'a/vm.xml', 7).bytes.toString()).toBe('content');
  });

  it.each([
    ['the file', 'a/vm.xml', 'secret/vm.xml', 'ELOOP'],
    ['its folder', 'a', 'secret', 'ENOTDIR'],
  ])('is not read if %s has become a symbolic link', (_, name, target, code) => {
    const { folder } = folders();
    renameSync(join(folder, name), `${folder}-moved`);
    symlinkSync(join(folder, '..', target), join(folder, name));
    expect(() => readBelow(folder, 'a/vm.xml')).toThrow(expect.objectContaining({ code }));
  });

  it('is not read if it has become a pipe, and does not block', () => {
    const { folder } = folders();
    spawnSync('mkfifo', [join(folder, 'pipe.xml')]);
    expect(() => readBelow(folder, 'pipe.xml')).toThrow('the file is not a regular file');
  });

  it('is not read if it has become a device', () => {
    expect(() => readBelow('/dev', 'zero')).toThrow('the file is not a regular file');
  });
});
