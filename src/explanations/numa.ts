import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

const _BOUND = `<numatune>
  <memnode cellid='0' mode='strict' nodeset='0'/>
  <memnode cellid='1' mode='strict' nodeset='1'/>
</numatune>`;

/** NUMA cells, Generic Initiators, and the space for BARs. */
export const numa = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
