import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** The document, the domain as such, and whether it is to change at all. */
export const document = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
