import type { Bar } from '../generated/topology.js';

/** Whether firmware places a BAR above 4 GiB: in a 64-bit prefetchable window. */
export function isLargeBar({ kind, bits, prefetchable }: Bar): boolean {
  return kind === 'memory' && bits === 64 && prefetchable;
}
