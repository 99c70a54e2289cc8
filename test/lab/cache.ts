/** The folder outside the repository for the lab's root file systems, and its lock. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LabError } from './process.js';

/** `${XDG_CACHE_HOME:-~/.cache}/vsmmu-lab` (the base directory specification wants an absolute path), made if missing. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  const folder = join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'vsmmu-lab');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A new folder in the cache for this process; the ones of processes that ended without removing theirs go. */
export function temporaryFolder(): string {
  for (const name of readdirSync(cacheFolder())) {
    const pid = /^temporary-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      rmSync(join(cacheFolder(), name), { recursive: true, force: true });
    }
  }
  return mkdtempSync(join(cacheFolder(), `temporary-${process.pid}-`));
}

/** The file that a lock is on: the one on the root file system, or another's. */
export function lockFile(name = 'lock'): string {
  return join(cacheFolder(), name);
}

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock in the cache folder, the one on the root if no other: `shared` to use it, `exclusive` to make or remove it. Waits as long as it
 * takes and calls `waiting` once if that is not at once. The lock goes when this process does.
 */
export async function takeLock(kind: 'shared' | 'exclusive', waiting: () => void, file = lockFile()): Promise<Lock> {
  // `cat` holds the lock and ends with its input, so a killed process leaves none behind.
  const argv = [`--${kind}`, file, 'sh', '-c', 'echo held; exec cat'];
  const holder = spawn('flock', argv, { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const notice = setTimeout(waiting, 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', reject);
      holder.once('close', (code) => reject(new LabError(`flock ended with ${code}`)));
      holder.stdout.once('data', () => resolve());
    });
  } finally {
    clearTimeout(notice);
  }
  // The lock is no reason for this process to stay.
  holder.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        holder.removeAllListeners('close');
        holder.once('close', () => resolve());
        holder.ref();
        holder.stdin.end();
      }),
  };
}
