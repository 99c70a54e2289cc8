import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isDraft } from '../../src/io/draft.js';
import { backUpFile, createFile, replaceFile } from '../../src/io/replace.js';
import { REPOSITORY, temporaryFolder, vsmmu } from '../cli/run.js';

/** The user ID of `nobody`. */
const USER = 65534;

const SAMPLE = readFileSync(join(REPOSITORY, 'samples/domains/ml-train.xml'), 'utf8');
const HOST = ['--topology', 'samples/hosts/host-a.json'];
const SECRET = '<domain>the secret of root</domain>';

/** A folder of root with a file readable by root only, and a folder of another user with a domain. */
let rootsFolder: string;
let rootsFile: string;
let usersFolder: string;
let usersFile: string;

beforeEach(() => {
  const top = temporaryFolder();
  chmodSync(top, 0o755);
  rootsFolder = join(top, 'root');
  usersFolder = join(top, 'user');
  mkdirSync(rootsFolder, { mode: 0o755 });
  mkdirSync(usersFolder, { mode: 0o755 });
  rootsFile = join(rootsFolder, 'vm.xml');
  writeFileSync(rootsFile, SECRET, { mode: 0o600 });
  usersFile = join(usersFolder, 'vm.xml');
  writeFileSync(usersFile, SAMPLE);
  chownSync(usersFile, USER, USER);
  chownSync(usersFolder, USER, USER);
});

/** Makes a link as the other user. */
function usersLink(target: string, link: string): void {
  symlinkSync(target, link);
  lchownSync(link, USER, USER);
}

function expectRootsFileUntouched(): void {
  expect(readdirSync(rootsFolder)).toEqual(['vm.xml']);
  expect(readFileSync(rootsFile, 'utf8')).toBe(SECRET);
  expect(statSync(rootsFile)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 });
}

/** Runs `action` while the other user runs a shell script repeatedly in the folder. */
async function underAttack(script: string, action: () => Promise<void>): Promise<void> {
  const loop = `while :; do ${script}; done 2>/dev/null`;
  const attacker = spawn('sh', ['-c', loop, 'sh', rootsFolder], {
    cwd: usersFolder,
    uid: USER,
    gid: USER,
    stdio: 'ignore',
    // A separate process group, so that programs that the shell started end with it.
    detached: true,
  });
  await once(attacker, 'spawn');
  try {
    await action();
  } finally {
    if (attacker.pid !== undefined) process.kill(-attacker.pid, 'SIGKILL');
    await once(attacker, 'close');
  }
}

/** Ignores errors that the attacker causes: only root's file is checked. */
async function attempt(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch {
    // A refusal is also correct.
  }
}

describe('vsmmu as root in a folder of another user', () => {
  it('does not write a backup through a link', () => {
    usersLink(rootsFile, join(usersFolder, 'vm.xml.orig'));
    const run = vsmmu(['rewrite', '-i', '--backup', '.orig', ...HOST, usersFile]);
    expect(run.code).toBe(0);
    expect(readFileSync(join(usersFolder, 'vm.xml.orig.~1~'), 'utf8')).toBe(SAMPLE);
    expectRootsFileUntouched();
  });

  it.each([
    ['to a file of root', () => usersLink(rootsFile, join(usersFolder, 'out.xml')), 'out.xml'],
    ['to a file that does not exist', () => usersLink(`${rootsFile}.new`, join(usersFolder, 'out.xml')), 'out.xml'],
    ['to a folder of root', () => usersLink(rootsFolder, join(usersFolder, 'out')), 'out/vm.xml'],
    [
      'that leads to a link',
      () => {
        usersLink(rootsFolder, join(usersFolder, 'a'));
        usersLink('a/vm.xml', join(usersFolder, 'b'));
      },
      'b',
    ],
    ['to a device', () => usersLink('/dev/full', join(usersFolder, 'out.xml')), 'out.xml'],
  ])('does not follow a link of that user %s', (_, prepare, out) => {
    prepare();
    const run = vsmmu(['rewrite', '-o', join(usersFolder, out), ...HOST, usersFile]);
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(
      /error: file-unwritable: a symbolic link of user 65534 leads to a file or folder of user 0; give/,
    );
    expectRootsFileUntouched();
  });

  it('follows a link of that user to a file of that user', () => {
    usersLink('vm.xml', join(usersFolder, 'link.xml'));
    expect(vsmmu(['rewrite', '-i', ...HOST, join(usersFolder, 'link.xml')])).toMatchObject({
      code: 0,
      stderr: expect.any(String),
    });
    expect(readFileSync(usersFile, 'utf8')).toContain('smmuv3');
    expect(lstatSync(join(usersFolder, 'link.xml')).isSymbolicLink()).toBe(true);
    expect(statSync(usersFile).uid).toBe(USER);
  });

  it('changes no file of root while its temporary files are replaced by links', async () => {
    const attack = `for f in .vsmmu-* *.*~ vm.xml?*; do rm -f "$f"; ln -s "$1/vm.xml" "$f"; done`;
    await underAttack(attack, async () => {
      for (let i = 0; i < 300; i++) {
        await attempt(() => replaceFile(usersFile, `content ${i}`));
        await attempt(() => backUpFile(usersFile, `.${i}`, readFileSync(usersFile)));
        await attempt(() => createFile(join(usersFolder, `new${i}.xml`), 'new', 0o600));
      }
    });
    expectRootsFileUntouched();
  });

  it.each([
    ['the file', 'vm.xml', 'ln -sf "$1/vm.xml" vm.xml; rm -f vm.xml; echo mine > vm.xml'],
    [
      'the folder',
      'dir/vm.xml',
      'mkdir -p dir; echo mine > dir/vm.xml; mv dir moved; ln -s "$1" dir; rm dir; rm -r moved',
    ],
    ['a folder above it', 'up/root/vm.xml', 'mkdir -p up/root; mv up moved; ln -s "$1/.." up; rm up; rm -r moved'],
  ])('changes no file of root while %s is replaced by a link', async (_, path, attack) => {
    await underAttack(attack, async () => {
      for (let i = 0; i < 500; i++) {
        await attempt(() => replaceFile(join(usersFolder, path), `content ${i}`));
        await attempt(() => backUpFile(join(usersFolder, path), `.${i}`, Buffer.from('mine\n')));
        if (i % 50 === 0) expectRootsFileUntouched();
      }
    });
    expectRootsFileUntouched();
  });

  it('writes into the folder that it opened, even if that is moved and replaced', async () => {
    mkdirSync(join(usersFolder, 'dir'));
    const writing = replaceFile(join(usersFolder, 'dir/vm.xml'), 'new');
    renameSync(join(usersFolder, 'dir'), join(usersFolder, 'moved'));
    usersLink(rootsFolder, join(usersFolder, 'dir'));
    await writing;
    expect(readFileSync(join(usersFolder, 'moved/vm.xml'), 'utf8')).toBe('new');
    expectRootsFileUntouched();
  });

  it('does not change the owner of a file of root if a link to it replaces the temporary file', async () => {
    const writing = replaceFile(usersFile, 'new');
    const [temporary = ''] = readdirSync(usersFolder).filter(isDraft);
    rmSync(join(usersFolder, temporary));
    usersLink(rootsFile, join(usersFolder, temporary));
    await writing;
    expectRootsFileUntouched();
  });

  it('does not disclose a file that it read through a link which was then replaced by a file', () => {
    const [stolen, mine] = [Buffer.from(SECRET), readFileSync(usersFile)];
    expect(() => backUpFile(usersFile, '.orig', stolen)).toThrow('changed in the meantime');
    expect(readdirSync(usersFolder)).toEqual(['vm.xml']);
    expect(readFileSync(usersFile)).toEqual(mine);
  });
});
