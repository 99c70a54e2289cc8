import { examineHost } from './host.js';
import { examineKernel } from './kernel.js';
import type { DoctorInput, DoctorResult } from './result.js';
import { examineSoftware } from './software.js';

/** Checks everything that an accelerated vSMMU needs, from the hardware up. */
export function examine(input: DoctorInput): readonly DoctorResult[] {
  return [...examineHost(input), ...examineKernel(input), ...examineSoftware(input)];
}
