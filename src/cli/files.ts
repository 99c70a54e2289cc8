import { closeSync, fstatSync, lstatSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { diagnostic, InputError, OutsideError } from '../diagnostics.js';
import { MAX_BYTES } from '../xml/source.js';

/** What a domain is called in what is said about it. */
export function nameOfInput(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

const CHUNK = 64 * 1024;

/**
 * Reads a file, or standard input for `-`; of one that is too large for a document, only enough to see that.
 * @throws OutsideError `file-unreadable`
 */
export async function readInput(file: string): Promise<Uint8Array> {
  if (file !== '-') return readFileBytes(file);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** The text of a file. @throws OutsideError `file-unreadable` */
export function readTextFile(file: string): string {
  const bytes = readFileBytes(file);
  if (bytes.length > MAX_BYTES)
    throw new InputError(diagnostic('file-unreadable', 'it has more than 16 MiB', { file }));
  return Buffer.from(bytes).toString('utf8');
}

/** The text of a file, undefined where it is not there. @throws OutsideError `file-unreadable` */
export function readExisting(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false }) && readTextFile(file);
}

function readFileBytes(file: string): Uint8Array {
  try {
    const fd = openSync(file, 'r');
    try {
      const chunks: Buffer[] = [];
      let size = 0;
      for (;;) {
        const chunk = Buffer.allocUnsafe(
          Math.min(Math.max(CHUNK, size === 0 ? fstatSync(fd).size + 1 : 0), MAX_BYTES + 2),
        );
        const count = readSync(fd, chunk);
        if (count === 0) break;
        chunks.push(chunk.subarray(0, count));
        size += count;
        if (size > MAX_BYTES) break;
      }
      return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new OutsideError(diagnostic('file-unreadable', describeIoError(error), { file }));
  }
}

/**
 * Writes a file in one step: at any instant it has the old content or the new. Its mode and owner stay; a new one gets the mode.
 * @throws OutsideError `file-unwritable`
 */
export async function writeFile(
  file: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  try {
    if (!isReplaceable(file)) writeFileSync(file, content);
    else writeFileAtomic.sync(file, content instanceof Uint8Array ? Buffer.from(content) : content, options);
  } catch (error) {
    throw new OutsideError(diagnostic('file-unwritable', describeIoError(error), { file }));
  }
}

/** Whether a file may be put in the place of what is there: a device, a pipe, a link to nothing are written to instead. */
function isReplaceable(file: string): boolean {
  const target = statSync(file, { throwIfNoEntry: false });
  return target ? target.isFile() : lstatSync(file, { throwIfNoEntry: false }) === undefined;
}

/** Keeps a copy of a file beside it, with its mode and owner. @throws OutsideError `file-unwritable` */
export async function backUp(file: string, content: Uint8Array, suffix: string): Promise<void> {
  if (suffix === '' || suffix.includes('/')) {
    throw new InputError(diagnostic('usage', `--backup takes a suffix such as .orig, not '${suffix}'`));
  }
  const copy = file + suffix;
  const { default: writeFileAtomic } = await import('write-file-atomic');
  try {
    const { mode, uid, gid } = statSync(file);
    writeFileAtomic.sync(copy, Buffer.from(content), { mode: mode & 0o7777, chown: { uid, gid } });
  } catch (error) {
    throw new OutsideError(diagnostic('file-unwritable', describeIoError(error), { file: copy }));
  }
}

/** An error of the system in its own words, without the path and the call: `no such file or directory`. */
export function describeIoError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/s, '');
}
