import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countXml, type Found, findXml, requireFolder } from '../../src/batch/walk.js';
import { temporaryFolder } from '../cli/run.js';

async function found(folder: string): Promise<Found[]> {
  const all: Found[] = [];
  for await (const each of findXml(folder)) all.push(each);
  return all;
}

describe('the files of a folder', () => {
  it('are those called *.xml, in the order of their names in each folder, with links that are not followed', async () => {
    const folder = temporaryFolder();
    for (const name of ['c.xml', 'b', 'b.xml.d']) mkdirSync(join(folder, name));
    for (const file of ['d.xml', 'a.xml', 'note.txt', 'b/z.xml', 'b/y.xml', 'c.xml/x.xml']) {
      writeFileSync(join(folder, file), '');
    }
    symlinkSync('a.xml', join(folder, 'link.xml'));
    symlinkSync('b', join(folder, 'folder.xml'));
    const file = (path: string) => ({ path, link: false });
    expect(await found(folder)).toEqual([
      ...['a.xml', 'b/y.xml', 'b/z.xml', 'c.xml/x.xml', 'd.xml'].map(file),
      { path: 'folder.xml', link: true },
      { path: 'link.xml', link: true },
    ]);
    expect(await countXml(folder)).toBe(7);
    expect(await countXml(join(folder, 'none'))).toBe(0);
  });

  it('are not searched if the folder is missing or a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    for (const name of ['none', 'file']) {
      expect(() => requireFolder(join(folder, name))).toThrow(
        expect.objectContaining({ diagnostics: [expect.objectContaining({ code: 'file-unreadable' })] }),
      );
      await expect(found(join(folder, name))).rejects.toMatchObject({ diagnostics: [{ code: 'file-unreadable' }] });
    }
    expect(requireFolder(folder)).toBeUndefined();
  });

  it('include a pipe, which is marked as special', async () => {
    const folder = temporaryFolder();
    spawnSync('mkfifo', [join(folder, 'pipe.xml')]);
    expect(await found(folder)).toEqual([{ path: 'pipe.xml', link: false, special: true }]);
  });

  it('are all found except in an unreadable folder, which is reported', async () => {
    const folder = temporaryFolder();
    // Its name is not UTF-8, so that Node cannot open it, not even as root.
    const names = ['a', Buffer.from('b\xff', 'latin1'), 'c'].map((name) =>
      Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]),
    );
    for (const name of names) {
      mkdirSync(name);
      writeFileSync(Buffer.concat([name, Buffer.from('/vm.xml')]), '');
    }
    expect(await found(folder)).toMatchObject([
      { path: 'a/vm.xml' },
      { path: 'b\ufffd', unreadable: [{ code: 'file-unreadable', message: 'its name is not UTF-8; rename it' }] },
      { path: 'c/vm.xml' },
    ]);
  });
});
