import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isDraft } from '../../src/io/draft.js';
import { createFile, overwriteFile, replaceFile } from '../../src/io/replace.js';
import { temporaryFolder } from '../cli/run.js';
import { attributesOf, GIVEN, give } from './attributes.js';

const text = (file: string) => readFileSync(file, 'utf8');
const modeOf = (file: string) => statSync(file).mode & 0o7777;
const { PATH } = process.env;

/** A file with a content and a mode. */
function fileWith(content: string, mode = 0o644): string {
  const file = join(temporaryFolder(), 'vm.xml');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

afterEach(() => {
  process.env.PATH = PATH;
  process.seteuid?.(0);
  process.umask(0o022);
});

describe('replaceFile', () => {
  it('gives the file the requested mode, whatever the umask', async () => {
    const file = join(temporaryFolder(), 'vm.xml');
    process.umask(0o077);
    await replaceFile(file, 'new', { mode: 0o664 });
    expect({ text: text(file), mode: modeOf(file) }).toEqual({ text: 'new', mode: 0o664 });
    expect(readdirSync(join(file, '..'))).toEqual(['vm.xml']);
  });

  it('makes a new file, so that a reader of the old one sees it completely, and leaves no other file', async () => {
    const file = fileWith('old');
    const { ino } = statSync(file);
    expect(await replaceFile(file, 'new')).toEqual([]);
    expect(text(file)).toBe('new');
    expect(statSync(file).ino).not.toBe(ino);
    expect(readdirSync(join(file, '..'))).toEqual(['vm.xml']);
  });

  it.each([
    [0o600, 1, 2],
    [0o640, 0, 2],
    [0o444, 1, 0],
    [0o4755, 1, 2],
  ])('keeps mode %o, owner %i and group %i of the file that it replaces', async (mode, uid, gid) => {
    const file = fileWith('old');
    chownSync(file, uid, gid);
    chmodSync(file, mode);
    await replaceFile(file, 'new');
    expect(statSync(file)).toMatchObject({ uid, gid });
    expect(modeOf(file)).toBe(mode);
  });

  it.each([
    ['an access control list', { acl: GIVEN.acl }],
    ['an extended attribute', { note: GIVEN.note }],
    ['both', GIVEN],
  ])('keeps %s', async (_, given) => {
    const file = fileWith('old', 0o640);
    give(file, given);
    expect(await replaceFile(file, 'new')).toEqual([]);
    expect(text(file)).toBe('new');
    expect(attributesOf(file)).toEqual(given);
  });

  it('warns with the name of the file if attributes cannot be kept, but writes the content', async () => {
    const file = fileWith('old', 0o640);
    process.env.PATH = temporaryFolder();
    const [first, ...more] = await replaceFile(file, 'new');
    expect(first).toMatchObject({ code: 'attributes-lost', severity: 'warning', file });
    expect(first?.message).toMatch(
      /^the new file does not keep: access control list and extended attributes \(cp is not installed\)/,
    );
    expect(more).toEqual([]);
    expect({ text: text(file), mode: modeOf(file) }).toEqual({ text: 'new', mode: 0o640 });
  });

  it.each([
    ["echo 'cp: first' >&2; echo second >&2; exit 1", 'cp: first'],
    ['exit 3', 'cp ended with 3'],
  ])('warns with the message of cp: %s', async (script, why) => {
    const file = fileWith('old');
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'cp'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env.PATH = folder;
    const found = await replaceFile(file, 'new');
    expect(found.map(({ message }) => message)).toEqual([
      `the new file does not keep: access control list and extended attributes (${why})`,
    ]);
  });

  it('starts no program for a file without an access control list and extended attributes', async () => {
    const file = fileWith('old');
    process.env.PATH = temporaryFolder();
    expect(await replaceFile(file, 'new', { attributes: false })).toEqual([]);
  });

  it('keeps the group if only the owner cannot be kept', async () => {
    const file = fileWith('old');
    chownSync(file, 1, 0);
    chownSync(join(file, '..'), 65534, 65534);
    process.seteuid?.(65534);
    const found = await replaceFile(file, 'new');
    process.seteuid?.(0);
    expect(found.map((d) => d.message)).toEqual(['the new file does not keep: owner 1']);
    expect(statSync(file)).toMatchObject({ uid: 65534, gid: 0 });
  });

  it('keeps the mode of a file that may not be read', async () => {
    const file = fileWith('old', 0o200);
    for (const path of [file, join(file, '..')]) chownSync(path, 65534, 0);
    process.seteuid?.(65534);
    await replaceFile(file, 'new', { attributes: false });
    process.seteuid?.(0);
    expect({ text: text(file), mode: modeOf(file) }).toEqual({ text: 'new', mode: 0o200 });
  });

  it('warns if only root could keep the owner, and drops a set-user-ID bit for another user', async () => {
    const file = fileWith('old');
    chownSync(file, 1, 2);
    chmodSync(file, 0o4755);
    chownSync(join(file, '..'), 65534, 65534);
    process.seteuid?.(65534);
    const found = await replaceFile(file, 'new');
    process.seteuid?.(0);
    expect(found.map((d) => d.message)).toEqual(['the new file does not keep: owner 1 and group 2']);
    expect(statSync(file).uid).toBe(65534);
    expect(modeOf(file)).toBe(0o755);
  });

  it('gives a new file the mode 0666 minus the umask, or the requested mode', async () => {
    const folder = temporaryFolder();
    process.umask(0o027);
    await replaceFile(join(folder, 'a'), 'new');
    await replaceFile(join(folder, 'b'), 'new', { mode: 0o755 });
    expect([modeOf(join(folder, 'a')), modeOf(join(folder, 'b'))]).toEqual([0o640, 0o755]);
  });

  it('replaces a file with a name of 255 bytes', async () => {
    const file = join(temporaryFolder(), 'x'.repeat(255));
    writeFileSync(file, 'old');
    await replaceFile(file, 'new');
    expect(text(file)).toBe('new');
  });

  it('does not change a file with unexpected content', async () => {
    const file = fileWith('edited');
    const wanted = replaceFile(file, 'new', { expected: Buffer.from('old') });
    await expect(wanted).rejects.toMatchObject({ diagnostics: [{ code: 'domain-edited', file }] });
    expect(text(file)).toBe('edited');
    await replaceFile(file, 'new', { expected: Buffer.from('edited') });
    expect(text(file)).toBe('new');
  });

  it('leaves nothing behind if a file cannot be written completely', () => {
    const folder = temporaryFolder();
    const code = `
      const { replaceFile } = await import('./src/io/replace.ts');
      const { readdirSync } = await import('node:fs');
      const [, folder] = process.argv;
      await replaceFile(folder + '/vm.xml', 'x'.repeat(1e6)).catch(({ code }) => console.log(code, readdirSync(folder)));`;
    const line = `trap '' XFSZ; ulimit -f 64; exec "$0" --import tsx -e "$1" "$2"`;
    const { stdout, stderr } = spawnSync('sh', ['-c', line, process.execPath, code, folder], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'EFBIG []\n', stderr: '' });
  });

  it('writes into a device, and does not replace it', async () => {
    await replaceFile('/dev/null', 'new');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it.each([
    ['the file itself', 'vm.xml'],
    ['a folder above it', 'link/vm.xml'],
    ['a folder, by an absolute path', 'absolute/vm.xml'],
    ['another link', 'second/vm.xml'],
  ])('follows a link of its user to %s', async (_, path) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real/vm.xml'), 'old');
    symlinkSync('real/vm.xml', join(folder, 'vm.xml'));
    symlinkSync('real/../real', join(folder, 'link'));
    symlinkSync(join(folder, 'real'), join(folder, 'absolute'));
    symlinkSync('link', join(folder, 'second'));
    await replaceFile(join(folder, path), 'new');
    expect(text(join(folder, 'real/vm.xml'))).toBe('new');
    expect(readlinkSync(join(folder, 'vm.xml'))).toBe('real/vm.xml');
  });

  it('follows a link of root to a file of another user', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real/vm.xml'), 'old');
    chownSync(join(folder, 'real/vm.xml'), 1, 0);
    chownSync(join(folder, 'real'), 65534, 0);
    symlinkSync('real/vm.xml', join(folder, 'vm.xml'));
    chmodSync(folder, 0o755);
    process.seteuid?.(65534);
    await replaceFile(join(folder, 'vm.xml'), 'new', { attributes: false });
    process.seteuid?.(0);
    expect(text(join(folder, 'real/vm.xml'))).toBe('new');
  });

  it('follows 40 links in one path, as Linux does, and no more', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '0'), 'old');
    for (let i = 1; i <= 41; i++) symlinkSync(`${i - 1}`, join(folder, `${i}`));
    await replaceFile(join(folder, '40'), 'new');
    expect(text(join(folder, '0'))).toBe('new');
    await expect(replaceFile(join(folder, '41'), 'newer')).rejects.toThrow('too many symbolic links');
  });

  it('follows a circle of links at most 40 times', async () => {
    const folder = temporaryFolder();
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    await expect(replaceFile(join(folder, 'a'), 'new')).rejects.toThrow('too many symbolic links');
  });

  it.each([
    ['a file in a missing folder', 'none/vm.xml', 'ENOENT'],
    ['a file below a file', 'vm.xml/vm.xml', 'ENOTDIR'],
    ['a folder', '.', 'EISDIR'],
  ])('refuses %s, and leaves no descriptor open', async (_, path, code) => {
    const file = fileWith('old');
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    await expect(replaceFile(join(file, '..', path), 'new')).rejects.toMatchObject({ code });
    expect(open()).toBe(before);
    expect(text(file)).toBe('old');
  });

  it('uses recognizable names for its temporary files, and no others', () => {
    expect(['.vsmmu-abcdefgh_-345678', '.vsmmu-x', 'vm.xml', '.vm.xml.vsmmu'].map(isDraft)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('createFile', () => {
  it('makes a file readable by its owner only, and overwrites none', () => {
    const file = join(temporaryFolder(), 'vm.xml');
    createFile(file, 'first', 0o600);
    expect(() => createFile(file, 'second', 0o600)).toThrow('EEXIST');
    expect({ text: text(file), mode: modeOf(file) }).toEqual({ text: 'first', mode: 0o600 });
  });
});

describe('overwriteFile', () => {
  it('writes into the same file, and leaves nothing of a longer content', () => {
    const file = fileWith('a longer content');
    const { ino } = statSync(file);
    overwriteFile(file, 'new');
    expect([text(file), statSync(file).ino]).toEqual(['new', ino]);
  });

  it('follows no link', () => {
    const file = fileWith('old');
    symlinkSync(file, `${file}.link`);
    expect(() => overwriteFile(`${file}.link`, 'new')).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(text(file)).toBe('old');
  });
});
