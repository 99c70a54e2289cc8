import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Found, findXml } from '../../src/batch/walk.js';
import { temporaryFolder } from '../cli/run.js';

async function found(folder: string): Promise<Found[]> {
  const all: Found[] = [];
  for await (const each of findXml(folder)) all.push(each);
  return all;
}

describe('the files of a folder', () => {
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
