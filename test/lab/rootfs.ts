/**
 * The lab's root file system: Debian unstable with libvirt, QEMU and, in /srv/guest, the programs of a guest.
 * It is made once per recipe, completely or not at all, and never written to afterwards.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, takeLock } from './cache.js';
import { configFiles } from './config.js';
import { fetchGuest, guestRecipe } from './guest-files.js';
import { Jail, requireMachine } from './jail.js';
import { findMirror, type Mirror, suite } from './mirror.js';
import { LabError, type Result } from './process.js';

const packages = [
  'libvirt-daemon',
  'libvirt-daemon-driver-qemu',
  'libvirt-clients',
  'libvirt-common',
  'qemu-system-arm',
  'qemu-utils',
  'qemu-efi-aarch64',
  'libxml2-utils',
  'nodejs',
  'kmod',
  'xz-utils',
];

/** Everything that determines the content of the root, except the mirror: a change makes a new root. */
const recipe = JSON.stringify({ suite, packages, configFiles, guest: guestRecipe, layout: 1 });
const key = createHash('sha256').update(recipe).digest('hex').slice(0, 12);

export interface Root {
  /** The path of the root file system. */
  readonly path: string;
  /** Releases the lock, so that another process can make a new root. */
  release(): Promise<void>;
}

/** Path of the root of the current recipe, whether or not it exists. */
export function rootPath(): string {
  return join(cacheFolder(), `root-${key}`);
}

/** Opens the root, and makes it if necessary; `say` gets a line for each slow step. Throws LabError. */
export async function openRoot(say: (line: string) => void): Promise<Root> {
  requireMachine();
  const path = rootPath();
  for (;;) {
    const shared = await takeLock('shared', () => say('waiting for another user of the lab, who is making its root'));
    if (existsSync(path)) return { path, release: () => shared.release() };
    await shared.release();
    const lock = await takeLock('exclusive', () => say('waiting for another user of the lab to finish'));
    try {
      if (!existsSync(path)) await make(path, say);
    } finally {
      await lock.release();
    }
  }
}

async function make(path: string, say: (line: string) => void): Promise<void> {
  const mirror = await findMirror();
  await removeOthers();
  const unfinished = `${path}.unfinished`;
  const log = join(cacheFolder(), 'make.log');
  await writeFile(log, '');
  const step = async (result: Promise<Result>): Promise<void> => {
    const { code, stdout, stderr } = await result;
    await writeFile(log, stdout + stderr, { flag: 'a' });
    if (code !== 0) throw new LabError(`making the lab's root failed (${code}); its output is in ${log}`);
  };

  say(`making the root: Debian ${suite}, about a minute`);
  {
    await using machine = await Jail.open('/', 'machine');
    const debootstrap = ['debootstrap', '--variant=minbase', `--keyring=${mirror.keyring}`];
    await step(machine.run([...debootstrap, suite, unfinished, mirror.uri]));
  }
  await writeConfig(unfinished, mirror);
  say('installing libvirt and QEMU in it');
  {
    await using jail = await Jail.open(unfinished, 'writable');
    await step(jail.run(['dpkg', '--add-architecture', 'arm64']));
    await step(jail.run(['apt-get', 'update']));
    await step(jail.run(['apt-get', 'install', '--yes', '--no-install-recommends', ...packages]));
    say("fetching the guest's kernel and programs");
    await fetchGuest(
      (argv) => step(jail.run(argv)),
      (argv) => jail.output(argv),
    );
    await step(jail.run(['apt-get', 'clean']));
    for (const [file, content] of Object.entries(configFiles)) await jail.put(file, content);
  }
  await rename(unfinished, path);
}

/** Configures apt as on this computer, and prevents packages from starting daemons when they are installed. */
async function writeConfig(root: string, mirror: Mirror): Promise<void> {
  await mkdir(join(root, 'etc/apt/apt.conf.d'), { recursive: true });
  await writeFile(join(root, 'etc/apt/apt.conf.d/00machine'), mirror.aptConf);
  await writeFile(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
}

/** Removes roots of other recipes and unfinished ones. The caller holds the exclusive lock, so none is in use. */
async function removeOthers(): Promise<void> {
  for (const name of await readdir(cacheFolder())) {
    if (name.startsWith('root-')) await rm(join(cacheFolder(), name), { recursive: true, force: true });
  }
}
