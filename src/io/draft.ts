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

/** Whether a file has the name of a draft. Drafts that are left after a power cut or a kill may be removed. */
export function isDraft(name: string): boolean {
  return TEMPORARY.test(name);
}

/**
 * A file with a temporary name, which replaces another file when it is complete. The name is random, so no other user
 * can predict it or create the file first. All operations use the open file, even if its name now refers to another
 * file.
 */
export class Draft implements Disposable {
  readonly fd: number;
  readonly #target: Location;
  readonly #temporary: string;
  #isInPlace = false;

  /** @param target not closed by the draft; the caller closes it @param mode before the umask is applied */
  constructor(target: Location, mode: number) {
    this.#target = target;
    this.#temporary = target.folder.at(`.vsmmu-${randomBytes(12).toString('base64url')}`);
    this.fd = openNew(this.#temporary, mode);
  }

  write(content: string | Uint8Array): void {
    writeAll(this.fd, content);
  }

  /** Replaces the target with the draft, in one step. */
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
 * @param attributes whether the other file may have an access control list or extended attributes
 * @returns what could not be kept, and why
 */
export function copyMetadata(fd: number, original: number, attributes: boolean): readonly string[] {
  const { uid, gid, mode } = fstatSync(original);
  const ownership = takeOwner(fd, { uid, gid });
  const lost = attributes ? copyAttributes(original, fd) : undefined;
  // With another owner or group, set-user-ID and set-group-ID would give the rights of that owner or group.
  fchmodSync(fd, mode & (ownership === undefined ? 0o7777 : 0o777));
  return [
    ...(ownership ?? []),
    ...(lost === undefined ? [] : [`access control list and extended attributes (${lost})`]),
  ];
}

/** Changes owner and group of a file. @returns those that only root may change; undefined if both are as requested */
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
