import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Its mode; that of the file that is there otherwise, 0644 less the umask where none is. */
  readonly mode?: number;
  /** Whether it is on the disk when the call returns, power cut or not. */
  readonly sync: boolean;
}

/**
 * Puts a file in its place in one step: whoever looks finds the old one, or the new one whole. Its owner and mode stay.
 * `removeLeftovers` removes the file that it is written to first where a run was killed.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  { mode, sync }: ReplaceOptions,
): Promise<void> {
  const present = await lstat(file).catch(() => undefined);
  const temporary = temporaryOf(file);
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode ?? (present ? 0o600 : 0o644));
    await handle.writeFile(content);
    if (present && mode === undefined) {
      if (present.uid !== process.getuid?.() || present.gid !== process.getgid?.()) {
        await handle.chown(present.uid, present.gid);
      }
      await handle.chmod(present.mode & 0o7777);
    }
    if (sync) await handle.datasync();
    await handle.close();
    handle = undefined;
    await rename(temporary, file);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * As `replaceFile`, for a file of which there is an original: nothing waits for the disk, and it is a third of the time.
 * @param mode its mode, whatever is there
 */
export function placeFile(file: string, content: string | Uint8Array, mode: number): void {
  const temporary = temporaryOf(file);
  try {
    writeFileSync(temporary, content, { mode, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** A name in the same folder that nobody else uses. */
function temporaryOf(file: string): string {
  return join(dirname(file), `.vsmmu-${randomBytes(12).toString('base64url')}`);
}
