/** The lab that `up` leaves running, from one command to the next. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.js';

interface Running {
  /** First process of its jail. */
  readonly pid: number;
  /** When that process began, in clock ticks since boot (proc(5), stat): a number that comes twice is no lab of ours. */
  readonly started: string;
}

/** Where it is written down; the emulated host (test/accel) has a record of its own. */
const recordPath = (name = 'running.json'): string => join(cacheFolder(), name);

/** Remembers a lab by the first process of its jail. */
export function remember(pid: number, record?: string): void {
  const running: Running = { pid, started: startOf(pid) ?? '' };
  writeFileSync(recordPath(record), `${JSON.stringify(running)}\n`);
}

/** The first process of the lab that is running, if one is. */
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
    // The second field, the program's name, is in parentheses and may hold spaces.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}
