import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What may run out, and what a vSMMU may be given. */
export const limits = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
