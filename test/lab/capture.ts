/** Boots a described host and copies the parts of its /sys that a fixture needs. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { temporaryFolder } from './cache.js';
import { type CpioEntry, packCpio } from './cpio.js';
import type { HostDescription } from './description.js';
import { boot, bootArguments, programEntries } from './guest.js';
import { guestFolder } from './guest-files.js';
import { hostMachine } from './host-machine.js';
import type { Lab } from './lab.js';
import { LabError, output } from './process.js';
import { rootPath } from './rootfs.js';

const initrd = '/run/host.cpio.gz';

/** Limit for boot, commands and copying, which take 30 s on two idle cores; the largest host takes a minute. */
const limitSeconds = 400;

/**
 * Boots the host and returns a gzipped tar of `sys/`, `dmesg.txt`, `proc/version` and `dev/listing`, in the order of names.
 * Throws LabError if the host does not start or a command of the description fails.
 */
export async function captureHost(lab: Lab, host: HostDescription): Promise<Buffer> {
  const machine = hostMachine(host);
  await lab.jail.put(initrd, await hostArchive(machine.orders));
  const console = await boot(lab, [...machine.arguments, ...bootArguments(initrd)], limitSeconds);
  const failed = /order failed: .*/.exec(console)?.[0];
  if (failed !== undefined) throw new LabError(`a command of the description failed: ${failed.trim()}`);
  const archive = /archive:([A-Za-z0-9+/=]+)/.exec(console)?.[1];
  if (archive === undefined)
    throw new LabError(`the host printed no archive: ${console.trimEnd().split('\n').at(-1)?.trim()}`);
  return await repack(Buffer.from(archive, 'base64'));
}

/** Sorts the archive by name and removes times, so that a new capture differs only in content. */
async function repack(archive: Buffer): Promise<Buffer> {
  const folder = temporaryFolder();
  try {
    await writeFile(join(folder, 'in.tar.gz'), archive);
    const tree = ['--directory', folder, '--exclude=./in.tar.gz', '--exclude=./out.tar'];
    await output(['tar', 'xzf', join(folder, 'in.tar.gz'), '--directory', folder]);
    const plain = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--format=ustar'];
    await output(['tar', 'cf', join(folder, 'out.tar'), ...plain, ...tree, '.']);
    return gzipSync(await readFile(join(folder, 'out.tar')), { level: 9 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The drivers' modules in `modules/`, in the order to load them. */
export async function moduleEntries(): Promise<CpioEntry[]> {
  const folder = join(rootPath(), guestFolder, 'modules');
  const modules = (await readdir(folder)).sort().map(async (name): Promise<CpioEntry> => {
    return { path: `modules/${name}`, kind: 'file', data: await readFile(join(folder, name)), executable: false };
  });
  return [{ path: 'modules', kind: 'folder' }, ...(await Promise.all(modules))];
}

async function hostArchive(orders: readonly string[]): Promise<Buffer> {
  const init = await readFile(fileURLToPath(new URL('./guest/host-init', import.meta.url)));
  const entries: CpioEntry[] = [
    ...(await programEntries()),
    ...(await moduleEntries()),
    {
      path: 'orders',
      kind: 'file',
      data: Buffer.from(orders.map((order) => `${order}\n`).join('')),
      executable: false,
    },
    { path: 'init', kind: 'file', data: init, executable: true },
  ];
  return gzipSync(packCpio(entries), { level: 1 });
}
