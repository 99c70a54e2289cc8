import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { attributesLost } from '../diagnostics/files.js';
import { domainEdited } from '../diagnostics/libvirt.js';
import { copyMetadata, Draft, openNew, writeAll } from './draft.js';
import { systemCode } from './errors.js';
import { type Folder, fsyncLater, type Location, locate, locateIn, O_PATH } from './folder.js';

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Its mode. Default: that of the existing file, else 0666 less the umask. */
  readonly mode?: number | undefined;
  /** Whether the existing file may have an access control list or extended attributes to keep. Default: true. */
  readonly attributes?: boolean;
  /** The expected current content. If the file contains anything else, nothing is written. */
  readonly expected?: Uint8Array | undefined;
}

/**
 * Writes a file in one step: at any instant it has either the old or the new content, even after a power cut. An
 * existing file keeps its owner, mode, access control list and extended attributes. Devices and pipes are written to,
 * not replaced. Links are followed as in `locate`.
 * @returns `attributes-lost` if some of these could not be kept
 * @throws EnvironmentError `domain-edited` if the content is not as expected, `file-unwritable` for a link that is not
 * followed; a system error for everything else
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  options: ReplaceOptions = {},
): Promise<readonly Diagnostic[]> {
  const descriptor = descriptorOf(file);
  if (descriptor !== undefined) return writeToDescriptor(file, descriptor, content);
  using target = locate(file);
  return await replaceAt(target, file, content, options);
}

/** Does the same as `replaceFile` for a file whose folder is open, which is not a descriptor of this process. */
export async function replaceIn(
  folder: Folder,
  file: string,
  content: string | Uint8Array,
  options: ReplaceOptions,
): Promise<readonly Diagnostic[]> {
  using target = locateIn(folder, file);
  return await replaceAt(target, file, content, options);
}

async function replaceAt(
  target: Location,
  file: string,
  content: string | Uint8Array,
  options: ReplaceOptions,
): Promise<readonly Diagnostic[]> {
  const { stats } = target;
  if (stats && !stats.isFile()) return writeToDevice(target.path, content);
  using original = OpenFile.of(target);
  if (options.expected !== undefined) requireContent(file, original, options.expected);
  using draft = new Draft(target, original ? 0o600 : (options.mode ?? 0o666));
  draft.write(content);
  let lost: readonly string[] = [];
  if (options.mode !== undefined) fchmodSync(draft.fd, options.mode);
  else if (original) lost = copyMetadata(draft.fd, original.fd, options.attributes ?? true);
  // Asynchronous, so that other work continues while the disk writes.
  await fsyncLater(draft.fd);
  draft.commit();
  await target.folder.syncTogether();
  return lostDiagnostics(file, lost);
}

/**
 * Creates a file, fsyncs it and its folder; fails if the name exists.
 * @throws EEXIST, and as `replaceFile`
 */
export function createFile(file: string, content: string | Uint8Array, mode: number): void {
  using target = locate(file);
  using created = new OpenFile(openNew(target.path, mode));
  writeAll(created.fd, content);
  fsyncSync(created.fd);
  target.folder.sync();
}

/** A copy of a file beside it. */
export interface Backup {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Saves a copy of a file next to it, with its owner, mode, access control list and extended attributes. It never
 * overwrites a file: the second copy is called `vm.xml.orig.~1~`, as with `cp --backup=numbered`.
 * @param expected the expected content of the file
 * @throws as `replaceFile`
 */
export function backUpFile(file: string, suffix: string, expected: Uint8Array): Backup {
  using target = locate(file);
  using original = OpenFile.of(target);
  requireContent(file, original, expected);
  const { fd, ending } = openNumbered(target, suffix);
  using copy = new OpenFile(fd);
  writeAll(copy.fd, expected);
  const lost = copyMetadata(copy.fd, original.fd, true);
  fsyncSync(copy.fd);
  target.folder.sync();
  return { file: file + ending, diagnostics: lostDiagnostics(file + ending, lost) };
}

/** Creates a file that only its owner can read, with the first name that is free. */
function openNumbered({ folder, name }: Location, suffix: string): { readonly fd: number; readonly ending: string } {
  for (let number = 0; ; number++) {
    const ending = number === 0 ? suffix : `${suffix}.~${number}~`;
    try {
      return { fd: openNew(folder.at(name + ending), 0o600), ending };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
  }
}

/**
 * Overwrites a file in place. For the file that virsh gives to an editor: virsh reads it again by its name.
 * @throws a system error; ELOOP for a link
 */
export function overwriteFile(file: string, content: string | Uint8Array): void {
  using target = new OpenFile(openSync(file, constants.O_WRONLY | constants.O_NOFOLLOW));
  const bytes = Buffer.from(content);
  writeAll(target.fd, bytes);
  ftruncateSync(target.fd, bytes.length);
}

/** Returns the descriptor of this process that a path names: /dev/stdout, /dev/fd/63. */
function descriptorOf(file: string): number | undefined {
  const [, name, number] = /^\/(?:dev|proc\/self)\/(?:(stdout|stderr)|fd\/(\d+))$/.exec(file) ?? [];
  if (name !== undefined) return name === 'stdout' ? 1 : 2;
  return number === undefined ? undefined : Number(number);
}

function writeToDescriptor(file: string, descriptor: number, content: string | Uint8Array): readonly Diagnostic[] {
  // A file is written at its current offset, also with `>>`. A pipe is reopened, since Node's descriptor may be
  // non-blocking.
  if (fstatSync(descriptor).isFile()) {
    writeAll(descriptor, content);
    return [];
  }
  using opened = new OpenFile(openSync(file, constants.O_WRONLY));
  writeAll(opened.fd, content);
  return [];
}

/** Writes to a device or a pipe, which is not replaced. */
function writeToDevice(path: string, content: string | Uint8Array): readonly Diagnostic[] {
  using device = new OpenFile(openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW));
  if (fstatSync(device.fd).isFile()) throw new Error('it was replaced by a file in the meantime');
  writeAll(device.fd, content);
  return [];
}

class OpenFile implements Disposable {
  constructor(readonly fd: number) {}

  /**
   * Opens a file; if it may not be read, opens it only for its owner and mode. Returns undefined if there is no regular
   * file.
   */
  static of({ path, stats }: Location): OpenFile | undefined {
    if (!stats?.isFile()) return undefined;
    const flags = constants.O_NOFOLLOW | constants.O_NONBLOCK;
    try {
      return new OpenFile(openSync(path, constants.O_RDONLY | flags));
    } catch (error) {
      if (systemCode(error) !== 'EACCES') throw error;
      return new OpenFile(openSync(path, O_PATH | flags));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

/** @throws EnvironmentError `domain-edited` */
function requireContent(file: string, present: OpenFile | undefined, expected: Uint8Array): asserts present {
  if (present && readFileSync(present.fd).equals(expected)) return;
  throw new EnvironmentError(domainEdited.file({ file }));
}

function lostDiagnostics(file: string, lost: readonly string[]): readonly Diagnostic[] {
  return lost.length === 0 ? [] : [attributesLost({ lost, file })];
}
