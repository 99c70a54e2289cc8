import { dirname } from 'node:path';
import type { Folder } from './folder.js';

/** Keeps the folder of the last file open, since the files of a folder usually follow each other. */
export class RecentFolder implements Disposable {
  readonly #open: (path: string) => Folder;
  #path: string | undefined;
  #folder: Folder | undefined;

  /** @param open opens a folder by its path */
  constructor(open: (path: string) => Folder) {
    this.#open = open;
  }

  /** Returns the folder of a file. The caller disposes of it. */
  of(file: string): Folder {
    const path = dirname(file);
    if (path !== this.#path || !this.#folder) {
      this[Symbol.dispose]();
      this.#folder = this.#open(path);
      this.#path = path;
    }
    return this.#folder.share();
  }

  [Symbol.dispose](): void {
    this.#folder?.[Symbol.dispose]();
    this.#folder = undefined;
  }
}
