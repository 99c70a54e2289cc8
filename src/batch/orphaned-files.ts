import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDraft } from '../io/draft.js';

/**
 * Removes the incomplete files that killed runs left below a folder, except those that a process still has open.
 * Folders that cannot be read and files that cannot be removed are skipped: nothing depends on them.
 */
export async function removeOrphanedFiles(folder: string): Promise<void> {
  const drafts: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeOrphanedFiles(join(folder, entry.name));
    else if (entry.isFile() && isDraft(entry.name)) drafts.push(entry.name);
  }
  const open = drafts.length > 0 ? openDrafts() : new Set();
  for (const name of drafts) if (!open.has(name)) attempt(() => rmSync(join(folder, name), { force: true }));
}

/** Returns the names of drafts that a process has open, as far as this user may see. */
function openDrafts(): ReadonlySet<string> {
  const names = new Set<string>();
  for (const process of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${process}/fd`;
    for (const fd of attempt(() => readdirSync(folder)) ?? []) {
      const name = attempt(() => readlinkSync(`${folder}/${fd}`))
        ?.split('/')
        .at(-1);
      if (name !== undefined && isDraft(name)) names.add(name);
    }
  }
  return names;
}

/** Returns the result of a system call; undefined if it fails: a process has ended, or a file belongs to another user. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
