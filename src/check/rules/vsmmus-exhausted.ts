import { vsmmusExhausted as diagnostic } from '../../diagnostics/expander-buses.js';
import { smmusOfGuest, vsmmuLimit } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: the platform bus has interrupts for sixteen vSMMUs, or fewer with command queues. */
export const vsmmusExhausted: Rule = ({ domain, location }) => {
  const made = smmusOfGuest(domain.iommus);
  const limit = vsmmuLimit(made.map(({ values }) => values));
  const [over] = made.slice(limit);
  if (!over) return [];
  return [diagnostic.present({ vsmmus: made.length, limit, location: location(over.element) })];
};
