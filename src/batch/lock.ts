import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { stateLocked, stateUnwritable } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import { toEnvironmentError, wrapIoError } from './wrap-io-error.js';

/** A lock that is held. */
export interface Lock extends Disposable {
  /** The locked open file. The lock lasts as long as any process has it open. */
  readonly file: number;
}

/** How to wait for a lock. */
export interface LockOptions {
  /** The time limit in seconds; default: no limit. */
  readonly waitSeconds?: number | undefined;
  /** Called if another process holds the lock, with its process id if known. */
  readonly onWait?: (holder: string) => void;
}

/**
 * Locks a file with flock(2). The lock ends with the process that holds it, however that process ends. Node has no such
 * call, so flock(1) of util-linux locks an open file that it inherits. The file stays locked after flock(1) has ended.
 * @throws EnvironmentError `state-locked` after the time limit; `state-unwritable`
 */
export async function takeLock(file: string, options: LockOptions = {}): Promise<Lock> {
  const fd = wrapIoError(stateUnwritable, file, () => openSync(file, 'a+', 0o600));
  const lock = await lockOpenFile(fd, file, () => readFileSync(file, 'utf8').trim(), options);
  reportHolder(file);
  return lock;
}

/**
 * Locks a folder, also against a process that uses another path to it. Nothing is written to the folder.
 * @throws EnvironmentError `state-locked` after the time limit; `file-unreadable`
 */
export async function lockFolder(folder: string, options: LockOptions = {}): Promise<Lock> {
  const fd = wrapIoError(fileUnreadable, folder, () => openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY));
  return await lockOpenFile(fd, folder, () => '', options);
}

async function lockOpenFile(
  fd: number,
  file: string,
  holderOf: () => string,
  { waitSeconds, onWait }: LockOptions,
): Promise<Lock> {
  try {
    if (!(await flock(fd, ['--nonblock'], file))) {
      const holder = holderOf();
      if (waitSeconds !== 0) onWait?.(holder);
      const limit = waitSeconds === undefined ? [] : ['--timeout', String(waitSeconds)];
      if (waitSeconds === 0 || !(await flock(fd, limit, file))) throw locked(file, holder);
    }
    return { file: fd, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Writes the process ID, for processes that wait. The lock holds even if the disk is full. */
function reportHolder(file: string): void {
  try {
    writeFileSync(file, `${process.pid}\n`);
  } catch {
    // The process ID is only shown to users.
  }
}

/** Tries to lock an open file. Returns whether it succeeded. */
function flock(fd: number, options: readonly string[], file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', (error) => reject(toEnvironmentError(stateUnwritable, file, error)));
    child.once('close', (code) => resolve(code === 0));
  });
}

function locked(file: string, holder: string): EnvironmentError {
  return new EnvironmentError(stateLocked({ process: holder === '' ? undefined : holder, file }));
}
