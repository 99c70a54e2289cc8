import { type Dirent, opendirSync } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import { wrapIoError, wrapIoErrorAsync } from './wrap-io-error.js';

/** A file of a folder. */
export interface Found {
  /** Its path below the folder. */
  readonly path: string;
  /** Whether it is a symbolic link, which is not followed: its target has its own path, or is outside the folder. */
  readonly link: boolean;
  /** Set for a pipe, a socket or a device: reading it could block for ever. */
  readonly special?: true;
  /** Set for a folder that cannot be read: the reason. */
  readonly unreadable?: readonly Diagnostic[];
}

/** @throws EnvironmentError `file-unreadable` if a path is not a readable folder */
export function requireFolder(path: string): void {
  wrapIoError(fileUnreadable, path, () => opendirSync(path).closeSync());
}

/**
 * Yields the files *.xml below a folder, in the order of their names in each folder.
 * @throws EnvironmentError `file-unreadable` if the folder itself cannot be read; a folder below it is yielded as
 * unreadable
 */
export async function* findXml(folder: string, below = ''): AsyncGenerator<Found> {
  const here = join(folder, below);
  let names: readonly Dirent[];
  try {
    names = await wrapIoErrorAsync(fileUnreadable, here, () => readdir(here, { withFileTypes: true }));
  } catch (error) {
    if (below === '' || !(error instanceof EnvironmentError)) throw error;
    yield { path: below, link: false, unreadable: error.diagnostics };
    return;
  }
  const wanted = names.filter((entry) => entry.isDirectory() || entry.name.endsWith('.xml'));
  wanted.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of wanted) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) yield* findXml(folder, path);
    else
      yield {
        path,
        link: entry.isSymbolicLink(),
        ...(!entry.isFile() && !entry.isSymbolicLink() && { special: true }),
      };
  }
}

/** Returns the number of files that `findXml` finds, without those in folders that cannot be read. */
export async function countXml(folder: string): Promise<number> {
  let count = 0;
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.isDirectory()) count += await countXml(join(folder, entry.name));
      else if (entry.name.endsWith('.xml')) count++;
    }
  } catch {
    // `findXml` reports it.
  }
  return count;
}
