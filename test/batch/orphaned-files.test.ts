import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { removeOrphanedFiles } from '../../src/batch/orphaned-files.js';
import { temporaryFolder } from '../cli/run.js';

const DRAFT = '.vsmmu-AbCdEfGh01234_-z';

describe('incomplete files of a killed run', () => {
  it('are removed at any depth, and no other file is', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    mkdirSync(join(folder, '.vsmmu-0123456789012345'));
    const others = ['vm.xml', '.vsmmu-note', 'a/.vsmmu-0123456789012345.xml', 'a/x.vsmmu-0123456789012345'];
    for (const file of [DRAFT, `a/${DRAFT}`, `a/b/${DRAFT}`, ...others]) writeFileSync(join(folder, file), '');
    await removeOrphanedFiles(folder);
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    expect(left.sort()).toEqual([...others, '.vsmmu-0123456789012345', 'a', 'a/b'].sort());
  });

  it('stay while a process has them open', async () => {
    const folder = temporaryFolder();
    const fd = openSync(join(folder, DRAFT), 'w');
    await removeOrphanedFiles(folder);
    expect(readdirSync(folder)).toEqual([DRAFT]);
    closeSync(fd);
    await removeOrphanedFiles(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are not searched in a missing folder', async () => {
    await expect(removeOrphanedFiles(join(temporaryFolder(), 'gone'))).resolves.toBeUndefined();
  });
});
