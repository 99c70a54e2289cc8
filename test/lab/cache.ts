/** The folder outside the repository for the lab's root file systems, and its lock. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LabError } from './process.js';

/**
 * Returns `${XDG_CACHE_HOME:-~/.cache}/vsmmu-lab`, and creates it if necessary. A relative XDG_CACHE_HOME is ignored, as the
 * specification requires.
 */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  const folder = join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'vsmmu-lab');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Makes a folder in the cache for this process, and removes those of processes that have ended. */
export function temporaryFolder(): string {
  for (const name of readdirSync(cacheFolder())) {
    const pid = /^temporary-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      rmSync(join(cacheFolder(), name), { recursive: true, force: true });
    }
  }
  return mkdtempSync(join(cacheFolder(), `temporary-${process.pid}-`));
}

/** Returns the path of a lock file; by default that of the root file system. */
export function lockFile(name = 'lock'): string {
  return join(cacheFolder(), name);
}

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock: `shared` to use the locked files, `exclusive` to make or remove them. Waits without a limit, and calls `waiting`
 * once if it has to wait. The lock is released when this process ends.
 */
export async function takeLock(kind: 'shared' | 'exclusive', waiting: () => void, file = lockFile()): Promise<Lock> {
  // `cat` holds the lock until its input ends, so the lock of a killed process is released.
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
  // The lock does not keep this process running.
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
