import { diagnostic } from '../../diagnostics.js';
import { MAX_VSMMUS, smmusOfGuest } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: the platform bus has interrupts for sixteen. */
export const vsmmusExhausted: Rule = ({ domain, location }) => {
  const made = smmusOfGuest(domain.iommus);
  const [over] = made.slice(MAX_VSMMUS);
  if (!over) return [];
  const message = `the domain has ${made.length} vSMMUs, and QEMU has room for ${MAX_VSMMUS}`;
  return [diagnostic('vsmmus-exhausted', message, { location: location(over.element) })];
};
