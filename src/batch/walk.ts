import { type Dirent, opendirSync } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import { outsideLater, wrapIoError } from './outside.js';

/** A file of a folder. */
export interface Found {
  /** Below the folder. */
  readonly path: string;
  /** A symbolic link: its target is found under its own name, or is outside this folder. */
  readonly link: boolean;
  /** A pipe, a socket or a device: reading it could wait for ever. */
  readonly special?: true;
  /** A folder, and why it cannot be read. */
  readonly unreadable?: readonly Diagnostic[];
}

/** @throws OutsideError `file-unreadable` if a path is not a readable folder */
export function requireFolder(path: string): void {
  wrapIoError(fileUnreadable, path, () => opendirSync(path).closeSync());
}

/**
 * The files *.xml below a folder, folder by folder in the order of their names.
 * @throws OutsideError `file-unreadable` for the folder itself; one below it is given as it is
 */
export async function* findXml(folder: string, below = ''): AsyncGenerator<Found> {
  const here = join(folder, below);
  let names: readonly Dirent[];
  try {
    names = await outsideLater(fileUnreadable, here, () => readdir(here, { withFileTypes: true }));
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

/** How many files `findXml` would find, but for what cannot be read. */
export async function countXml(folder: string): Promise<number> {
  let count = 0;
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.isDirectory()) count += await countXml(join(folder, entry.name));
      else if (entry.name.endsWith('.xml')) count++;
    }
  } catch {
    // Whoever goes through it says so.
  }
  return count;
}
