import { join } from 'node:path';
import { fileUnreadable, fileUnwritable } from '../diagnostics/files.js';
import { hasAttributes } from '../io/attributes.js';
import { systemCode } from '../io/errors.js';
import { openBelow, readIn } from '../io/read.js';
import { RecentFolder } from '../io/recent-folder.js';
import { replaceIn } from '../io/replace.js';
import type { Store } from './change.js';
import { wrapIoError, wrapIoErrorAsync } from './wrap-io-error.js';

/** Returns a store for the files of a folder. Its ids are paths below the folder. */
export function fileStore(folder: string): Store {
  const fileOf = (path: string) => join(folder, path);
  const folders = new RecentFolder((path) => openBelow(folder, path));
  let attributes: Promise<boolean> | undefined;
  return {
    fileOf,
    async read(path) {
      const file = fileOf(path);
      return wrapIoError(fileUnreadable, file, () => {
        try {
          using parent = folders.of(path);
          return readIn(parent, file).bytes;
        } catch (error) {
          if (systemCode(error) === 'ENOENT') return undefined;
          throw error;
        }
      });
    },
    async write(path, xml) {
      const file = fileOf(path);
      attributes ??= hasAttributes(folder);
      const options = { attributes: await attributes };
      return await wrapIoErrorAsync(fileUnwritable, file, async () => {
        using parent = folders.of(path);
        return await replaceIn(parent, file, xml, options);
      });
    },
  };
}
