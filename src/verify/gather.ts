import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { describeIoError } from '../io/errors.js';

/** A running QEMU. */
export interface QemuProcess {
  readonly argv: readonly string[];
  /** The time when it was started, in seconds since the host booted. */
  readonly since: number;
}

/** Clock ticks per second in the times that Linux reports to programs. */
const TICKS = 100;

/** Finds the QEMU process of a domain by the UUID that libvirt passes to it (`-uuid`); undefined if no process has it. */
export function findQemu(uuid: string, proc = '/proc'): QemuProcess | undefined {
  for (const pid of readdirSync(proc).filter((name) => /^\d+$/.test(name))) {
    try {
      const argv = readFileSync(join(proc, pid, 'cmdline'), 'utf8').split('\0');
      const at = argv.indexOf('-uuid');
      if (!/qemu/.test(basename(argv[0] ?? '')) || at < 0 || argv[at + 1] !== uuid) continue;
      // The program name may contain spaces and parentheses.
      const stat = readFileSync(join(proc, pid, 'stat'), 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { argv, since: Number(fields[19]) / TICKS };
    } catch {
      // The process has ended or is hidden.
    }
  }
  return undefined;
}

/** How many bytes to read from the end of a log. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Reads QEMU's log of a domain; returns the reason if it cannot be read.
 * @param uri the connection URI: the logs of a session connection are in the user's home directory
 */
export function readQemuLog(name: string, uri: string): string | { readonly file: string; readonly why: string } {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = /\/session\b/.test(uri) ? join(cache, 'libvirt/qemu/log') : '/var/log/libvirt/qemu';
  const file = join(folder, `${name}.log`);
  // libvirt 12.8 allows neither character in a name.
  if (/[/\0]/.test(name)) return { file, why: 'this is not the name of a domain' };
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, MAX_LOG_BYTES));
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, size - buffer.length));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { file, why: describeIoError(error) };
  }
}

/** Returns the kernel's names for SMMUs (`arm-smmu-v3.8.auto`), as far as they are known. */
export function smmuDevices(names: readonly string[], sysfs: string): string[] {
  return names.flatMap((name) => {
    try {
      return [basename(readlinkSync(join(sysfs, 'class/iommu', name, 'device')))];
    } catch {
      return [];
    }
  });
}
