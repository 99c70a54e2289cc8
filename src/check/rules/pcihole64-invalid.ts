import { pcihole64Invalid as diagnostic, pcihole64Off } from '../../diagnostics/memory.js';
import { formatKib } from '../../domain/size.js';
import { DEFAULT_HOLE } from '../../plan/mmio.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: `highmem-mmio-size is not a power of 2`, or `cannot be set to a lower value than the default (512 GiB)`. */
export const pcihole64Invalid: Rule = ({ domain: { pciHole64: hole }, location }) => {
  if (!hole) return [];
  const where = location(hole.element);
  if (hole.size === 0) return [pcihole64Off.machine({ location: where })];
  if (hole.size >= DEFAULT_HOLE && Number.isInteger(Math.log2(hole.size))) return [];
  return [diagnostic({ size: formatKib(hole.size), location: where })];
};
