import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { DiagnosedError, EnvironmentError, InputError } from '../../diagnostics/errors.js';
import { backupNumbered, fileUnreadable, fileUnwritable } from '../../diagnostics/files.js';
import { usage } from '../../diagnostics/usage.js';
import { describeIoError } from '../../io/errors.js';
import type { ReplaceOptions } from '../../io/replace.js';
import { MAX_BYTES } from '../../xml/source.js';

/** Returns the name of an input in diagnostics. */
export function nameOfInput(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

const CHUNK = 64 * 1024;

/**
 * Reads a file, or standard input for `-`. Stops reading soon after the size limit of a document, which the parser
 * then reports.
 * @throws EnvironmentError `file-unreadable`
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

/** Returns the text of a file. @throws EnvironmentError `file-unreadable` */
export function readTextFile(file: string): string {
  const bytes = readFileBytes(file);
  if (bytes.length > MAX_BYTES) throw new InputError(fileUnreadable.tooLarge({ file }));
  return Buffer.from(bytes).toString('utf8');
}

/** Returns the text of a file; undefined if it does not exist. @throws EnvironmentError `file-unreadable` */
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
    throw new EnvironmentError(fileUnreadable.system({ error: describeIoError(error), file }));
  }
}

/**
 * Writes a file atomically, as `replaceFile` does.
 * @returns diagnostics about attributes of the existing file that could not be kept
 * @throws EnvironmentError `file-unwritable`, `domain-edited`
 */
export async function writeFile(
  file: string,
  content: string | Uint8Array,
  options: ReplaceOptions = {},
): Promise<readonly Diagnostic[]> {
  const { replaceFile } = await import('../../io/replace.js');
  return await wrapWriteErrors(file, () => replaceFile(file, content, options));
}

/**
 * Saves a copy of a file next to it. If the name is taken, it uses a numbered name and reports it.
 * @param content the expected content of the file
 * @throws InputError `usage`; EnvironmentError `file-unwritable`, `domain-edited`
 */
export async function backUp(file: string, content: Uint8Array, suffix: string): Promise<readonly Diagnostic[]> {
  if (suffix === '' || suffix.includes('/')) {
    throw new InputError(usage.value({ option: '--backup', expected: 'a suffix such as .orig', value: `'${suffix}'` }));
  }
  const { backUpFile } = await import('../../io/replace.js');
  return await wrapWriteErrors(file + suffix, () => {
    const { file: copy, diagnostics } = backUpFile(file, suffix, content);
    if (copy === file + suffix) return diagnostics;
    return [...diagnostics, backupNumbered({ backup: copy, existing: basename(file) + suffix, file })];
  });
}

/** Runs an action that writes a file. @throws EnvironmentError `file-unwritable` for a system error */
export async function wrapWriteErrors<T>(file: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof DiagnosedError) throw error;
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file }));
  }
}
