import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Its mode; that of the file that is there otherwise, 0644 less the umask where none is. */
  readonly mode?: number;
  /** Whether it is on the disk when the call returns, power cut or not. */
  readonly sync: boolean;
}

/**
 * Puts a file in its place in one step: whoever looks finds the old one, or the new one whole. Its owner and mode stay.
 * The file that it is written to first has always the same name, so that a run that was killed leaves none behind when it
 * is resumed (write-file-atomic's names are new each time); it cannot be one that somebody else put there.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  { mode, sync }: ReplaceOptions,
): Promise<void> {
  const present = await lstat(file).catch(() => undefined);
  const temporary = temporaryOf(file);
  await rm(temporary, { force: true });
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
    writeNew(temporary, content, mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes a file that is not there yet; one that a run left which was killed goes. */
function writeNew(file: string, content: string | Uint8Array, mode: number): void {
  try {
    writeFileSync(file, content, { mode, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    rmSync(file);
    writeFileSync(file, content, { mode, flag: 'wx' });
  }
}

function temporaryOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.vsmmu`);
}
