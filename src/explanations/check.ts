import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What only `vsmmu check` finds: `vsmmu rewrite` does not write it. */
export const check = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
