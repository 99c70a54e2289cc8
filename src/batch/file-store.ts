import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from './change.js';
import { outsideLater } from './outside.js';
import { replaceFile } from './replace.js';

/** The files of a folder, by their paths below it. */
export function fileStore(folder: string): Store {
  const fileOf = (path: string) => join(folder, path);
  return {
    fileOf,
    async read(path) {
      const file = fileOf(path);
      return await outsideLater('file-unreadable', file, () =>
        readFile(file).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return undefined;
          throw error;
        }),
      );
    },
    async write(path, xml) {
      const file = fileOf(path);
      await outsideLater('file-unwritable', file, () => replaceFile(file, xml, { sync: true }));
    },
  };
}
