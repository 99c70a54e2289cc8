import type { LEGACY } from './diagnostics/legacy.js';
import { batch } from './explanations/batch.js';
import { check } from './explanations/check.js';
import { devices } from './explanations/devices.js';
import { document } from './explanations/document.js';
import { libvirt } from './explanations/libvirt.js';
import { limits } from './explanations/limits.js';
import { numa } from './explanations/numa.js';
import { outside } from './explanations/outside.js';
import { record } from './explanations/record.js';

/** What `vsmmu explain` says of a code beyond its meaning. White space in it is only how it is typed, but for the example's. */
export interface Explanation {
  /** How it comes about, and what follows from it. */
  readonly why: string;
  /** What there is to do about it, the best first. */
  readonly remedy: string;
  /** A case of it or of its cure: XML as a domain has it, or a command line. */
  readonly example: string;
}

/** An explanation of every code there is; apart from the table of the codes, since hardly a run needs it. */
export const EXPLANATIONS: Readonly<Record<keyof typeof LEGACY, Explanation>> = {
  ...document,
  ...devices,
  ...check,
  ...limits,
  ...record,
  ...numa,
  ...outside,
  ...libvirt,
  ...batch,
};
