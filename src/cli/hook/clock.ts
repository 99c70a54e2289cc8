import { readFileSync } from 'node:fs';

/** A clock that can be stopped before it rings. */
export interface Clock {
  stop(): void;
}

/**
 * Rings once this process has taken so long.
 * @param leniently leaves out the time in which it waited for a processor: hundreds of guests that start at once make each
 * wait for the others
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

/** How long this process could have run and had no processor: the second number, in ns (Linux, sched-stats.rst). */
function waitedMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // A kernel without it.
  }
}
