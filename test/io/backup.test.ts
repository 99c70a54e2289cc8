import {
  chmodSync,
  chownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backUpFile } from '../../src/io/replace.js';
import { temporaryFolder } from '../cli/run.js';
import { attributesOf, GIVEN, give } from './attributes.js';

const text = (file: string) => readFileSync(file, 'utf8');

/** A file with a content and a mode. */
function fileWith(content: string, mode = 0o644): string {
  const file = join(temporaryFolder(), 'vm.xml');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

describe('backUpFile', () => {
  it('numbers the second and the third backup, and does not change the first', () => {
    const file = fileWith('1');
    const names = ['1', '2', '3'].map((content) => {
      writeFileSync(file, content);
      return backUpFile(file, '.orig', Buffer.from(content)).file;
    });
    expect(names).toEqual([`${file}.orig`, `${file}.orig.~1~`, `${file}.orig.~2~`]);
    expect(names.map(text)).toEqual(['1', '2', '3']);
  });

  it('keeps owner, mode, access control list and extended attributes', () => {
    const file = fileWith('old', 0o640);
    give(file, GIVEN);
    chownSync(file, 1, 2);
    expect(backUpFile(file, '.orig', Buffer.from('old')).diagnostics).toEqual([]);
    expect(statSync(`${file}.orig`)).toMatchObject({ uid: 1, gid: 2, mode: 0o100640 });
    expect(attributesOf(`${file}.orig`)).toEqual(GIVEN);
  });

  it('treats a name with a link as in use', () => {
    const file = fileWith('old');
    symlinkSync('elsewhere', `${file}.orig`);
    expect(backUpFile(file, '.orig', Buffer.from('old')).file).toBe(`${file}.orig.~1~`);
    expect(lstatSync(`${file}.orig`).isSymbolicLink()).toBe(true);
  });

  it('makes no backup of a file that was changed in the meantime', () => {
    const file = fileWith('edited');
    expect(() => backUpFile(file, '.orig', Buffer.from('old'))).toThrow('changed in the meantime');
    expect(readdirSync(join(file, '..'))).toEqual(['vm.xml']);
  });
});
