import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fileStore } from '../../src/batch/file-store.js';
import { temporaryFolder } from '../cli/run.js';
import { attributesOf, GIVEN, give } from '../io/attributes.js';

const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
});

/** Leaves only tar in PATH. */
function withTarOnly(): void {
  const folder = temporaryFolder();
  symlinkSync(spawnSync('which', ['tar'], { encoding: 'utf8' }).stdout.trim(), join(folder, 'tar'));
  process.env.PATH = folder;
}

function folderWith(...files: readonly string[]): string {
  const folder = temporaryFolder();
  for (const file of files) writeFileSync(join(folder, file), 'old');
  return folder;
}

describe('the files of a folder', () => {
  it('keep their access control lists and extended attributes', async () => {
    const folder = folderWith('a.xml', 'b.xml');
    give(join(folder, 'b.xml'), GIVEN);
    const store = fileStore(folder);
    expect(await store.write('a.xml', 'new', true)).toEqual([]);
    expect(await store.write('b.xml', 'new', true)).toEqual([]);
    expect(readFileSync(join(folder, 'b.xml'), 'utf8')).toBe('new');
    expect(attributesOf(join(folder, 'b.xml'))).toEqual(GIVEN);
  });

  it('are written without another program if none has such metadata', async () => {
    const folder = folderWith('a.xml');
    withTarOnly();
    expect(await fileStore(folder).write('a.xml', 'new', true)).toEqual([]);
  });

  it('give a warning if the metadata of a file cannot be kept', async () => {
    const folder = folderWith('a.xml');
    give(join(folder, 'a.xml'), GIVEN);
    withTarOnly();
    const file = join(folder, 'a.xml');
    expect(await fileStore(folder).write('a.xml', 'new', true)).toMatchObject([{ code: 'attributes-lost', file }]);
    expect(readFileSync(file, 'utf8')).toBe('new');
  });
});
