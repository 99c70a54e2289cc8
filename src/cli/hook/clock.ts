import { readFileSync } from 'node:fs';

/** A timer that can be cancelled. */
export interface Clock {
  stop(): void;
}

/**
 * Calls `ring` when this process has run for `limitMs`.
 * @param leniently does not count time spent waiting for a CPU: if hundreds of guests start at once, each waits for the
 * others
 */
export function startClock(limitMs: number, leniently: boolean, ring: () => void): Clock {
  const left = (): number => limitMs - process.uptime() * 1000 + (leniently ? waitedMs() : 0);
  const look = (): void => {
    if (left() <= 0) ring();
    else timer = setTimeout(look, Math.ceil(left()));
  };
  let timer = setTimeout(look, Math.ceil(left()));
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
