import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { hasAttributes } from '../../src/io/attributes.js';
import { temporaryFolder } from '../cli/run.js';
import { GIVEN, give } from './attributes.js';

const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
});

/** A folder with a file two folders down. */
function folder(): { readonly top: string; readonly file: string } {
  const top = temporaryFolder();
  mkdirSync(join(top, 'a/b'), { recursive: true });
  const file = join(top, 'a/b/vm.xml');
  writeFileSync(file, 'x');
  return { top, file };
}

describe('hasAttributes', () => {
  it('is false for a folder in which no file has any', async () => {
    expect(await hasAttributes(folder().top)).toBe(false);
  });

  it.each([
    ['an access control list', { acl: GIVEN.acl }],
    ['an extended attribute', { note: GIVEN.note }],
  ])('finds %s anywhere below it', async (_, given) => {
    const { top, file } = folder();
    give(file, given);
    expect(await hasAttributes(top)).toBe(true);
  });

  it('finds one among thousands of files', async () => {
    const { top, file } = folder();
    for (let i = 0; i < 2000; i++) writeFileSync(join(top, `${i}.xml`), '');
    give(file, GIVEN);
    expect(await hasAttributes(top)).toBe(true);
  });

  it('finds one even if the output of tar arrives in pieces', async () => {
    const tar = temporaryFolder();
    const script = "#!/bin/sh\nprintf -- '-rw-r'; sleep 0.2; printf -- '--r--+ a/b\\n'\n";
    writeFileSync(join(tar, 'tar'), script, { mode: 0o755 });
    process.env.PATH = `${tar}:${PATH}`;
    expect(await hasAttributes(folder().top)).toBe(true);
    writeFileSync(join(tar, 'tar'), script.replace('--r--+', '--r--'), { mode: 0o755 });
    expect(await hasAttributes(folder().top)).toBe(false);
  });

  it('is true if it cannot be determined', async () => {
    expect(await hasAttributes(join(folder().top, 'none'))).toBe(true);
    process.env.PATH = temporaryFolder();
    expect(await hasAttributes(folder().top)).toBe(true);
  });
});
