import { readFileSync } from 'node:fs';

/** A timer that can be cancelled. */
export interface Clock {
  stop(): void;
}

/**
 * Calls `onTimeout` when this process has run for `limitMs`.
 * @param excludeWaiting whether time spent waiting for a CPU does not count: if hundreds of guests start at once, each
 * waits for the others
 */
export function startClock(limitMs: number, excludeWaiting: boolean, onTimeout: () => void): Clock {
  const left = (): number => limitMs - process.uptime() * 1000 + (excludeWaiting ? waitedMs() : 0);
  const check = (): void => {
    if (left() <= 0) onTimeout();
    else timer = setTimeout(check, Math.ceil(left()));
  };
  let timer = setTimeout(check, Math.ceil(left()));
  return { stop: () => clearTimeout(timer) };
}

/** Returns how long this process was runnable but waited for a CPU: the second number, in ns (Linux, sched-stats.rst). */
function waitedMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // The kernel does not provide it.
  }
}
