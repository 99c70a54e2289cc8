import { vsmmusExhausted as diagnostic } from '../../diagnostics/expander-buses.js';
import { MAX_VSMMUS, smmusOfGuest } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: the platform bus has interrupts for sixteen vSMMUs. */
export const vsmmusExhausted: Rule = ({ domain, location }) => {
  const made = smmusOfGuest(domain.iommus);
  const [over] = made.slice(MAX_VSMMUS);
  if (!over) return [];
  return [diagnostic.present({ vsmmus: made.length, limit: MAX_VSMMUS, location: location(over.element) })];
};
