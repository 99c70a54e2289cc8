import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { copyAttributes } from './attributes.js';
import { systemCode } from './errors.js';
import type { Location } from './folder.js';

const TEMPORARY = /^\.vsmmu-[\w-]{16}$/;

/** Whether a file has the name of a draft: one that is left after a power cut or a kill may be removed. */
export function isDraft(name: string): boolean {
  return TEMPORARY.test(name);
}

/**
 * A file under a temporary name, which takes the place of another when it is complete. Nobody can foresee the name or have
 * a file there before, and everything is done to the open file, whatever its name stands for by then.
 */
export class Draft implements Disposable {
  readonly fd: number;
  readonly #target: Location;
  readonly #temporary: string;
  #isInPlace = false;

  /** @param target stays open; the caller closes it @param mode less the umask */
  constructor(target: Location, mode: number) {
    this.#target = target;
    this.#temporary = target.folder.at(`.vsmmu-${randomBytes(12).toString('base64url')}`);
    this.fd = openNew(this.#temporary, mode);
  }

  write(content: string | Uint8Array): void {
    writeAll(this.fd, content);
  }

  /** Puts the draft in its place, in one step. */
  commit(): void {
    renameSync(this.#temporary, this.#target.path);
    this.#isInPlace = true;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    if (!this.#isInPlace) rmSync(this.#temporary, { force: true });
  }
}

/** Creates a file; fails if the name exists, even as a link. @throws EEXIST */
export function openNew(path: string, mode: number): number {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  return openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
}

export function writeAll(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/**
 * Gives a new file the owner, mode, access control list and extended attributes of another.
 * @param attributes whether the other may have any of the last two
 * @returns what could not be kept, and why
 */
export function imitate(fd: number, original: number, attributes: boolean): readonly string[] {
  const { uid, gid, mode } = fstatSync(original);
  const ownership = takeOwner(fd, { uid, gid });
  const lost = attributes ? copyAttributes(original, fd) : undefined;
  // With another owner, set-user-ID and set-group-ID would mean something else.
  fchmodSync(fd, mode & (ownership === undefined ? 0o7777 : 0o777));
  return [
    ...(ownership ?? []),
    ...(lost === undefined ? [] : [`access control list and extended attributes (${lost})`]),
  ];
}

/** @returns what only root could have given it */
function takeOwner(fd: number, { uid, gid }: Pick<Stats, 'uid' | 'gid'>): readonly string[] | undefined {
  const current = fstatSync(fd);
  if (current.uid === uid && current.gid === gid) return undefined;
  try {
    fchownSync(fd, uid, gid);
    return undefined;
  } catch (error) {
    if (systemCode(error) !== 'EPERM') throw error;
  }
  try {
    fchownSync(fd, current.uid, gid);
    return [`owner ${uid}`];
  } catch {
    return [`owner ${uid} and group ${gid}`];
  }
}
