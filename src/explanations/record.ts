import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What an earlier run wrote down, and the way back. */
export const record = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
