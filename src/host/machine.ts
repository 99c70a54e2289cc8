import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { machine, release } from 'node:os';
import { gunzipSync } from 'node:zlib';

/** Whether a file exists and can be opened for reading and writing. */
export type Access = 'open' | 'denied' | 'absent';

/** The properties and files of a machine that its topology does not contain. */
export interface Machine {
  /** As `uname -m` prints it: `aarch64`. */
  readonly architecture: string;
  /** As `uname -r` prints it: `6.12.48+deb13-arm64`. */
  readonly kernel: string;
  /** Returns the text of a file, unpacked if it is compressed with gzip; undefined if it cannot be read. */
  read(path: string): string | undefined;
  /** Returns the sorted names in a folder; empty if the folder does not exist. */
  list(path: string): readonly string[];
  access(path: string): Access;
}

/** The machine that vsmmu runs on. */
export const THIS_MACHINE: Machine = {
  // Bun, the standalone executable's runtime, calls it arm64.
  architecture: process.arch === 'arm64' ? 'aarch64' : machine(),
  kernel: release(),
  read: (path) => {
    try {
      const bytes = readFileSync(path);
      return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    } catch {
      return undefined;
    }
  },
  list: (path) => {
    try {
      return readdirSync(path).sort();
    } catch {
      return [];
    }
  },
  access: (path) => {
    if (!statSync(path, { throwIfNoEntry: false })) return 'absent';
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return 'open';
    } catch {
      return 'denied';
    }
  },
};

/** Returns a machine that reads `folder` instead of `/sys`. */
export function withSysfs({ read, list, access, ...machine }: Machine, folder: string): Machine {
  const inside = (path: string): string => path.replace(/^\/sys(?=\/)/, () => folder);
  return {
    ...machine,
    read: (path) => read(inside(path)),
    list: (path) => list(inside(path)),
    access: (path) => access(inside(path)),
  };
}

/** Returns a kernel's build options that are `y` or `m`; undefined if its configuration is not available. */
export function kernelConfig({ kernel, read }: Machine): ReadonlyMap<string, string> | undefined {
  for (const file of ['/proc/config.gz', `/boot/config-${kernel}`, `/usr/lib/modules/${kernel}/config`]) {
    const text = read(file);
    if (text === undefined) continue;
    return new Map([...text.matchAll(/^CONFIG_(\w+)=([ym])$/gm)].map(([, name = '', value = '']) => [name, value]));
  }
  return undefined;
}

/** The folders of firmware descriptors (QEMU, docs/interop/firmware.json), the one with the highest priority first. */
const DESCRIPTORS = ['/etc/qemu/firmware', '/usr/share/qemu/firmware'];

/** Returns the files of UEFI firmware for Arm guests that the descriptors name, without duplicates. */
export function uefiFirmware({ list, read }: Machine): readonly string[] {
  const files = new Set<string>();
  const seen = new Set<string>();
  for (const folder of DESCRIPTORS) {
    for (const name of list(folder).filter((file) => file.endsWith('.json') && !seen.has(file))) {
      // A file in an earlier folder replaces the file with the same name in a later one. An empty file disables it.
      seen.add(name);
      const file = uefiOf(read(`${folder}/${name}`) ?? '');
      if (file !== undefined) files.add(file);
    }
  }
  return [...files];
}

/** Returns the executable in a descriptor; undefined if it is not UEFI firmware for aarch64. */
function uefiOf(text: string): string | undefined {
  try {
    const { 'interface-types': types, targets, mapping } = JSON.parse(text);
    const isAarch64 = targets.some(({ architecture }: { architecture: string }) => architecture === 'aarch64');
    if (!types.includes('uefi') || !isAarch64) return undefined;
    return String(mapping.executable?.filename ?? mapping.filename);
  } catch {
    return undefined;
  }
}
