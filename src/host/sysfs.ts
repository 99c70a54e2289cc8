import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { sysfsUnreadable } from '../diagnostics/files.js';
import { describeIoError, systemCode } from '../io/errors.js';

/** The error codes for something that does not exist, or that was removed meanwhile: the name, or the device behind it. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO']);

/** An attribute has at most one page; arm64 has pages of up to 64 KiB. */
const MAX_ATTRIBUTE_BYTES = 64 * 1024;

/**
 * A sysfs tree: `/sys` or a copy of it. Paths are relative to it. Methods return undefined for something that does not exist,
 * and throw an EnvironmentError (`sysfs-unreadable`) for something that exists but cannot be read. Links are resolved by
 * their text and never lead outside the tree.
 */
export class Sysfs {
  readonly root: string;
  readonly #buffer = Buffer.allocUnsafe(MAX_ATTRIBUTE_BYTES + 1);

  constructor(root: string) {
    this.root = root;
  }

  /** Returns the content of an attribute, without the line end. */
  read(path: string): string | undefined {
    return this.#attempt(path, (full) => {
      // In a copy of a sysfs, a pipe would otherwise block for ever.
      const fd = openSync(full, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const size = readSync(fd, this.#buffer);
        // An empty or too long result may come from a pipe or a device. Other files need no further system call.
        if ((size === 0 || size > MAX_ATTRIBUTE_BYTES) && !fstatSync(fd).isFile()) this.#failNotFile(path);
        if (size > MAX_ATTRIBUTE_BYTES) this.fail(path, sysfsUnreadable.tooLarge());
        return this.#buffer.toString('utf8', 0, size).trimEnd();
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Returns the names in a folder, in no particular order. */
  list(path: string): string[] | undefined {
    return this.#attempt(path, (full) => readdirSync(full));
  }

  has(path: string): boolean {
    return this.#attempt(path, (full) => lstatSync(full, { throwIfNoEntry: false })) !== undefined;
  }

  /** Returns the last name in a link's target: the name of a driver, a group or an SMMU. */
  linkName(path: string): string | undefined {
    const target = this.#attempt(path, (full) => readlinkSync(full));
    return target === undefined ? undefined : posix.basename(target);
  }

  /** Returns the path that a link leads to, relative to the tree. */
  follow(path: string): string | undefined {
    const target = this.#attempt(path, (full) => readlinkSync(full));
    if (target === undefined) return undefined;
    const resolved = posix.join(posix.dirname(path), target);
    if (posix.isAbsolute(target) || resolved.startsWith('..')) this.fail(path, sysfsUnreadable.outside({ target }));
    return resolved;
  }

  /** Throws an error: the path does not contain what the kernel writes there. */
  fail(path: string, found: Diagnostic): never {
    throw new EnvironmentError({ ...found, file: posix.join(this.root, path) });
  }

  #failNotFile(path: string): never {
    this.fail(path, sysfsUnreadable.notA({ expected: 'a file' }));
  }

  #attempt<T>(path: string, act: (full: string) => T): T | undefined {
    try {
      return act(`${this.root}/${path}`);
    } catch (error) {
      if (error instanceof EnvironmentError) throw error;
      const code = systemCode(error) ?? '';
      if (GONE.has(code)) return undefined;
      // read(2) reports the first for a folder, the second for a pipe.
      if (code === 'EISDIR' || code === 'EAGAIN') this.#failNotFile(path);
      // readlink(2) reports this for a file or a folder.
      if (code === 'EINVAL') this.fail(path, sysfsUnreadable.notA({ expected: 'a link' }));
      return this.fail(path, sysfsUnreadable.system({ error: describeIoError(error) }));
    }
  }
}
