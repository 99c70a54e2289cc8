import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
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
import { backUpFile, createFile, replaceFile } from '../../src/io/replace.js';
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

  it.each([0o600, 0o640, 0o444, 0o4755])(
    'keeps owner, group and mode %o of the file that it replaces',
    async (mode) => {
      const file = fileWith('old');
      chownSync(file, 1, 2);
      chmodSync(file, mode);
      await replaceFile(file, 'new');
      expect(statSync(file)).toMatchObject({ uid: 1, gid: 2 });
      expect(modeOf(file)).toBe(mode);
    },
  );

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

  it('warns with the name of the file if they cannot be kept, and writes it', async () => {
    const file = fileWith('old', 0o640);
    process.env.PATH = temporaryFolder();
    const [first, ...more] = await replaceFile(file, 'new');
    expect(first).toMatchObject({ code: 'attributes-lost', severity: 'warning', file });
    expect(first?.message).toMatch(/^not kept: access control list and extended attributes \(cp is not installed\)/);
    expect(more).toEqual([]);
    expect({ text: text(file), mode: modeOf(file) }).toEqual({ text: 'new', mode: 0o640 });
  });

  it('starts no program for a file that has none', async () => {
    const file = fileWith('old');
    process.env.PATH = temporaryFolder();
    expect(await replaceFile(file, 'new', { attributes: false })).toEqual([]);
  });

  it('warns if only root could keep the owner, and drops a set-user-ID bit for another user', async () => {
    const file = fileWith('old');
    chownSync(file, 1, 2);
    chmodSync(file, 0o4755);
    chownSync(join(file, '..'), 65534, 65534);
    process.seteuid?.(65534);
    const found = await replaceFile(file, 'new');
    process.seteuid?.(0);
    expect(found.map((d) => d.message)).toEqual(['not kept: owner 1 and group 2']);
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

  it.each(['/dev/stdout', '/dev/fd/1'])('writes into %s if that is a pipe', (to) => {
    expect(run(`${write(to)} | cat`, '').stdout).toBe('new\n');
  });

  it('writes into the descriptor that a shell makes for a command', () => {
    const folder = temporaryFolder();
    run(`exec 7> >(cat > "$1/out"); ${write('/dev/fd/7')}; exec 7>&-; wait $!`, folder);
    expect(text(join(folder, 'out'))).toBe('new\n');
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
