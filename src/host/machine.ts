import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { machine, release } from 'node:os';
import { gunzipSync } from 'node:zlib';

/** Whether a file is there and may be opened for reading and writing. */
export type Access = 'open' | 'denied' | 'absent';

/** What a machine says of itself outside of sysfs. */
export interface Machine {
  /** As `uname -m` has it: `aarch64`. */
  readonly architecture: string;
  /** As `uname -r` has it: `6.12.48+deb13-arm64`. */
  readonly kernel: string;
  /** The text of a file, unpacked if compressed with gzip; undefined if it cannot be read. */
  read(path: string): string | undefined;
  /** The sorted names in a folder; empty if the folder does not exist. */
  list(path: string): readonly string[];
  access(path: string): Access;
}

/** The one that this runs on. */
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

/** A machine whose `/sys` is another folder. */
export function withSysfs({ read, list, access, ...machine }: Machine, folder: string): Machine {
  const inside = (path: string): string => path.replace(/^\/sys(?=\/)/, () => folder);
  return {
    ...machine,
    read: (path) => read(inside(path)),
    list: (path) => list(inside(path)),
    access: (path) => access(inside(path)),
  };
}

/** A kernel's build options, each `y` or `m`; undefined where the kernel does not say how it was built. */
export function kernelConfig({ kernel, read }: Machine): ReadonlyMap<string, string> | undefined {
  for (const file of ['/proc/config.gz', `/boot/config-${kernel}`, `/usr/lib/modules/${kernel}/config`]) {
    const text = read(file);
    if (text === undefined) continue;
    return new Map([...text.matchAll(/^CONFIG_(\w+)=([ym])$/gm)].map(([, name = '', value = '']) => [name, value]));
  }
  return undefined;
}

/** Where firmware is described (QEMU, docs/interop/firmware.json), what wins first. */
const DESCRIPTORS = ['/etc/qemu/firmware', '/usr/share/qemu/firmware'];

/** The files of UEFI firmware for Arm guests that descriptors name, each once. */
export function uefiFirmware({ list, read }: Machine): readonly string[] {
  const files = new Set<string>();
  const seen = new Set<string>();
  for (const folder of DESCRIPTORS) {
    for (const name of list(folder).filter((file) => file.endsWith('.json') && !seen.has(file))) {
      // A file of a folder before masks one of its name, and an empty one masks it away.
      seen.add(name);
      const file = uefiOf(read(`${folder}/${name}`) ?? '');
      if (file !== undefined) files.add(file);
    }
  }
  return [...files];
}

/** The executable of a descriptor; undefined if it is not UEFI firmware for aarch64. */
function uefiOf(text: string): string | undefined {
  try {
    const { 'interface-types': types, targets, mapping } = JSON.parse(text);
    const isOurs = targets.some(({ architecture }: { architecture: string }) => architecture === 'aarch64');
    if (!types.includes('uefi') || !isOurs) return undefined;
    return String(mapping.executable?.filename ?? mapping.filename);
  } catch {
    return undefined;
  }
}
