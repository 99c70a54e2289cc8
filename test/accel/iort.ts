/** Reads the IORT of the emulated machine, which canwbs.ts changes. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cacheFolder } from '../lab/cache.js';
import { packCpio } from '../lab/cpio.js';
import { guestFolder } from '../lab/guest-files.js';
import type { HostMachine } from '../lab/host-machine.js';
import type { Jail } from '../lab/jail.js';
import { LabError, lastLine } from '../lab/process.js';
import { bootArguments } from './machine.js';

const init = `#!/bin/busybox sh
/bin/busybox mkdir /sys /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t proc proc /proc
echo 1 >/proc/sys/kernel/printk
echo "iort:$(/bin/busybox base64 -w 0 /sys/firmware/acpi/tables/IORT):end"
/bin/busybox poweroff -f
`;

/** Five seconds on an idle machine. */
const limitSeconds = 120;

/**
 * Returns the table that the machine's firmware makes. It depends only on QEMU's arguments and the QEMU in `root`, so it is
 * cached, and read again if one of them changes. Needs a jail with the host's folder, and uses `iort-initrd` there.
 */
export async function readIort(jail: Jail, root: string, folder: string, machine: HostMachine): Promise<Buffer> {
  const key = createHash('sha256')
    .update(JSON.stringify([root, machine.arguments]))
    .digest('hex')
    .slice(0, 12);
  const kept = join(cacheFolder(), `accel-iort-${key}`);
  if (existsSync(kept)) return await readFile(kept);
  const busybox = await readFile(join(root, guestFolder, 'tree/usr/bin/busybox'));
  const archive = packCpio([
    { path: 'bin', kind: 'folder' },
    { path: 'bin/busybox', kind: 'file', data: busybox, executable: true },
    { path: 'init', kind: 'file', data: Buffer.from(init), executable: true },
  ]);
  await writeFile(join(folder, 'iort-initrd'), gzipSync(archive, { level: 1 }));
  const argv = ['qemu-system-aarch64', ...bootArguments(machine, 'iort-initrd', ''), '-serial', 'stdio'];
  const { stdout, stderr } = await jail.run(argv, { limitSeconds });
  const table = /iort:([A-Za-z0-9+/=]+):end/.exec(stdout)?.[1];
  if (table === undefined)
    throw new LabError(`the host does not show its IORT: ${lastLine(stderr) || lastLine(stdout)}`);
  const bytes = Buffer.from(table, 'base64');
  await writeFile(kept, bytes);
  return bytes;
}
