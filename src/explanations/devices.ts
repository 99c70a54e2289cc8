import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Each device and its IOMMU group. */
export const devices = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
