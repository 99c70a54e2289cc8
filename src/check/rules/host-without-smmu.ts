import { diagnostic } from '../../diagnostics.js';
import type { Rule } from '../inspection.js';

/** An accelerated vSMMU needs an SMMUv3 of the host to stand for. */
export const hostWithoutSmmu: Rule = ({ accelerated: [first], host, location }) =>
  first && host?.smmus.length === 0
    ? [
        diagnostic('host-without-smmu', 'the domain has accelerated vSMMUs, and this host has no SMMUv3', {
          location: location(first.iommu.element),
        }),
      ]
    : [];
