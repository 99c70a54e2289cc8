import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Many domains at once: runs, their journals and backups. */
export const batch = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
