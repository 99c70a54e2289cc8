import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { systemCode } from './errors.js';

/** A flag of open(2), for folders that may only be searched. Node does not define it. */
export const O_PATH = 0o10000000;

/** fsync(2) without blocking other work. */
export const fsyncLater = promisify(fsync);

/** The number of links that Linux follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/** An open folder. It stays the same folder if its path is moved or replaced by a link. */
export class Folder implements Disposable {
  readonly #fd: number;
  #users = 1;
  #syncing: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | undefined;

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
    try {
      using folder = this.#reopen();
      fsyncSync(folder.#fd);
    } catch (error) {
      ignoreUnsupported(error);
    }
  }

  /** Does the same as `sync`, but other work continues meanwhile. Calls that arrive during a sync share the next one. */
  syncTogether(): Promise<void> {
    this.#nextSync ??= this.#syncing.then(() => {
      this.#nextSync = undefined;
      const syncing = this.#syncLater();
      this.#syncing = syncing.catch(() => undefined);
      return syncing;
    });
    return this.#nextSync;
  }

  async #syncLater(): Promise<void> {
    try {
      using folder = this.#reopen();
      await fsyncLater(folder.#fd);
    } catch (error) {
      ignoreUnsupported(error);
    }
  }

  /** Opens the folder for reading, which fsync(2) needs. */
  #reopen(): Folder {
    return new Folder(openSync(this.at('.'), constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** Returns the same folder for a further user. It is closed when every user has disposed of it. */
  share(): Folder {
    this.#users++;
    return this;
  }

  [Symbol.dispose](): void {
    if (--this.#users === 0) closeSync(this.#fd);
  }
}

/** Throws an error of a sync, unless the folder may only be searched or the file system does not support the call. */
function ignoreUnsupported(error: unknown): void {
  if (!['EACCES', 'EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
}

/** A name in an open folder. The name is not a symbolic link; a file need not exist. */
export class Location implements Disposable {
  constructor(
    readonly folder: Folder,
    readonly name: string,
    /** Its status when it was located; undefined if it did not exist. */
    readonly stats: Stats | undefined,
  ) {}

  get path(): string {
    return this.folder.at(this.name);
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

/** Opens a folder, and follows links on the way as `locate` does. @throws as `locate` */
export function openFolder(path: string): Folder {
  return new Walk(path).open(Folder.open('.'), path);
}

/** Does the same as `locate` for the last name of a path whose folder is open. */
export function locateIn(folder: Folder, path: string): Location {
  return new Walk(path).locate(folder.share(), basename(path));
}

class Walk {
  #links = 0;

  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param start closed by this method */
  locate(start: Folder, path: string): Location {
    const names = namesOf(path);
    const last = names.pop() ?? '.';
    let folder = this.open(start, `${path.startsWith('/') ? '/' : ''}${names.join('/')}`);
    try {
      const stats = folder.stat(last);
      if (!stats?.isSymbolicLink()) return new Location(folder, last, stats);
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

  /** @param start closed by this method */
  open(start: Folder, path: string): Folder {
    let folder = start;
    try {
      if (path.startsWith('/')) folder = replace(folder, Folder.open('/'));
      for (const name of namesOf(path)) folder = replace(folder, this.#enter(folder, name));
      return folder;
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

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function replace(folder: Folder, by: Folder): Folder {
  folder[Symbol.dispose]();
  return by;
}
