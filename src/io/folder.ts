import { closeSync, constants, fstatSync, fsyncSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { systemCode } from './errors.js';

/** A flag of open(2), for folders that may only be searched. Node does not define it. */
export const O_PATH = 0o10000000;

/** The number of links that Linux follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/** An open folder. It stays the same folder if its path is moved or replaced by a link. */
export class Folder implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws ENOTDIR for a symbolic link */
  static open(path: string): Folder {
    return new Folder(openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  }

  /** Returns the path of a file in this folder, valid as long as the folder is open. */
  at(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  get owner(): number {
    return fstatSync(this.#fd).uid;
  }

  /** Returns the status of a name in this folder, without following links; undefined if it does not exist. */
  stat(name: string): Stats | undefined {
    return lstatSync(this.at(name), { throwIfNoEntry: false });
  }

  /** Waits until added, changed and removed names are on disk, if the file system supports that. */
  sync(): void {
    let fd: number | undefined;
    try {
      fd = openSync(this.at('.'), constants.O_RDONLY | constants.O_DIRECTORY);
      fsyncSync(fd);
    } catch (error) {
      // The folder may only be searched, or the file system does not support this call.
      if (!['EACCES', 'EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** A name in an open folder. The name is not a symbolic link; a file need not exist. */
export class Location implements Disposable {
  constructor(
    readonly folder: Folder,
    readonly name: string,
  ) {}

  get path(): string {
    return this.folder.at(this.name);
  }

  get stats(): Stats | undefined {
    return this.folder.stat(this.name);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

/**
 * Opens the folder of a file and follows links on the way, one by one. In another user's folder a link can point
 * anywhere, and can change at any time. So a link is followed only if it belongs to root, to the user who runs this, or
 * to the owner of its target. Linux has the same rule for links in /tmp (protected_symlinks in proc_sys_fs(5)).
 * @throws EnvironmentError `file-unwritable` for any other link; a system error if the folder cannot be opened
 */
export function locate(path: string): Location {
  return new Walk(path).locate(Folder.open('.'), path);
}

class Walk {
  #links = 0;

  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param start closed by this method */
  locate(start: Folder, path: string): Location {
    let folder = start;
    try {
      const names = path.split('/').filter((name) => name !== '' && name !== '.');
      const last = names.pop() ?? '.';
      if (path.startsWith('/')) folder = replace(folder, Folder.open('/'));
      for (const name of names) folder = replace(folder, this.#enter(folder, name));
      const stats = folder.stat(last);
      if (!stats?.isSymbolicLink()) return new Location(folder, last);
      const target = this.#follow(folder, last);
      folder[Symbol.dispose]();
      folder = target.folder;
      this.#check(stats, target.stats?.uid ?? target.folder.owner);
      return target;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  #enter(folder: Folder, name: string): Folder {
    try {
      return Folder.open(folder.at(name));
    } catch (error) {
      const stats = folder.stat(name);
      if (!stats?.isSymbolicLink()) throw error;
      using target = this.#follow(folder, name);
      const entered = this.#enter(target.folder, target.name);
      try {
        this.#check(stats, entered.owner);
        return entered;
      } catch (unsafe) {
        entered[Symbol.dispose]();
        throw unsafe;
      }
    }
  }

  #follow(folder: Folder, name: string): Location {
    if (++this.#links > MAX_LINKS) {
      throw new EnvironmentError(fileUnwritable.links({ file: this.#path }));
    }
    return this.locate(Folder.open(folder.at('.')), readlinkSync(folder.at(name)));
  }

  #check(link: Stats, owner: number): void {
    if ([0, process.geteuid?.(), owner].includes(link.uid)) return;
    throw new EnvironmentError(fileUnwritable.foreignLink({ linkOwner: link.uid, owner, file: this.#path }));
  }
}

function replace(folder: Folder, by: Folder): Folder {
  folder[Symbol.dispose]();
  return by;
}
