import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** A domain by its name, and the places where libvirt and virsh call. */
export const libvirt = {} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
