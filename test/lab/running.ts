/** The lab that `up` leaves running for later commands. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.js';

interface Running {
  /** Process ID of the first process of its jail. */
  readonly pid: number;
  /** Start time of that process in clock ticks since boot (proc(5), stat), which detects a reused process ID. */
  readonly started: string;
}

/** Path of the record; the emulated host (test/accel) has its own. */
const recordPath = (name = 'running.json'): string => join(cacheFolder(), name);

/** Records a lab by the first process of its jail. */
export function remember(pid: number, record?: string): void {
  const running: Running = { pid, started: startOf(pid) ?? '' };
  writeFileSync(recordPath(record), `${JSON.stringify(running)}\n`);
}

/** Returns the first process of the running lab, if there is one. */
export function runningPid(record?: string): number | undefined {
  if (!existsSync(recordPath(record))) return undefined;
  const { pid, started } = JSON.parse(readFileSync(recordPath(record), 'utf8')) as Running;
  return startOf(pid) === started ? pid : undefined;
}

export function forget(record?: string): void {
  rmSync(recordPath(record), { force: true });
}

function startOf(pid: number): string | undefined {
  try {
    // The second field, the program's name, is in parentheses and may contain spaces.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}
