import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import { Folder } from './folder.js';

/** The content of a file and its permissions. */
export interface FileContent {
  readonly bytes: Buffer;
  readonly mode: number;
}

/**
 * Reads a regular file below a folder. The owner of a folder can replace a file with a link, a pipe or a device at any
 * time. Those are not read, and a pipe does not block.
 * @param path below the folder; no part of it may be a symbolic link
 * @param limit if the file is larger, returns `limit + 1` zero bytes instead of its content
 * @throws EnvironmentError `file-unreadable` for a pipe or a device; a system error for everything else
 */
export function readBelow(folder: string, path: string, limit = Number.POSITIVE_INFINITY): FileContent {
  using parent = openBelow(folder, dirname(path));
  return readIn(parent, `${folder}/${path}`, limit);
}

/** Does the same as `readBelow` for a file whose folder is open. */
export function readIn(folder: Folder, file: string, limit = Number.POSITIVE_INFINITY): FileContent {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  const fd = openSync(folder.at(basename(file)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) {
      throw new EnvironmentError(fileUnreadable.notRegular({ file }));
    }
    return { bytes: stats.size > limit ? Buffer.alloc(limit + 1) : readFileSync(fd), mode: stats.mode & 0o777 };
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a folder below another.
 * @throws ENOTDIR if a part of the path is a symbolic link; the folder itself may be one
 */
export function openBelow(folder: string, path: string): Folder {
  let current = Folder.open(`${folder}/.`);
  for (const name of path.split('/')) {
    using parent = current;
    current = Folder.open(parent.at(name));
  }
  return current;
}
