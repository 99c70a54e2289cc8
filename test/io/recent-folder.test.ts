import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Folder } from '../../src/io/folder.js';
import { readIn } from '../../src/io/read.js';
import { RecentFolder } from '../../src/io/recent-folder.js';
import { temporaryFolder } from '../cli/run.js';

const descriptors = () => readdirSync('/proc/self/fd').length;

/** A folder with the files `a/1.xml`, `a/2.xml` and `b/1.xml`, which contain their paths. */
function tree(): string {
  const top = temporaryFolder();
  for (const path of ['a/1.xml', 'a/2.xml', 'b/1.xml']) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), path);
  }
  return top;
}

describe('the folder of the last file', () => {
  it('is opened once for files that follow each other, and closed with the next one', () => {
    const top = tree();
    const opened: string[] = [];
    const before = descriptors();
    {
      using folders = new RecentFolder((path) => {
        opened.push(path);
        return Folder.open(join(top, path));
      });
      for (const path of ['a/1.xml', 'a/2.xml', 'b/1.xml', 'a/1.xml']) {
        using folder = folders.of(path);
        expect(readIn(folder, path).bytes.toString()).toBe(path);
        expect(descriptors()).toBe(before + 1);
      }
    }
    expect(opened).toEqual(['a', 'b', 'a']);
    expect(descriptors()).toBe(before);
  });

  it('stays open until its last user has disposed of it', () => {
    const top = tree();
    using folders = new RecentFolder((path) => Folder.open(join(top, path)));
    using first = folders.of('a/1.xml');
    using _second = folders.of('b/1.xml');
    expect(readIn(first, 'a/2.xml').bytes.toString()).toBe('a/2.xml');
  });

  it('is opened again after an error', () => {
    const top = tree();
    using folders = new RecentFolder((path) => Folder.open(join(top, path)));
    expect(() => folders.of('c/1.xml')).toThrow('ENOENT');
    mkdirSync(join(top, 'c'));
    using folder = folders.of('c/1.xml');
    expect(folder.stat('1.xml')).toBeUndefined();
  });
});

describe('syncs of a folder', () => {
  it('are shared by calls that arrive before they start, not by those that arrive later', async () => {
    using folder = Folder.open(temporaryFolder());
    const [first, second] = [folder.syncTogether(), folder.syncTogether()];
    expect(second).toBe(first);
    await Promise.resolve();
    await Promise.resolve();
    const later = folder.syncTogether();
    expect(later).not.toBe(first);
    expect(folder.syncTogether()).toBe(later);
    await Promise.all([first, later]);
    await folder.syncTogether();
  });
});
