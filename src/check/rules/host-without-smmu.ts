import { hostWithoutSmmu as diagnostic } from '../../diagnostics/vsmmu.js';
import type { Rule } from '../inspection.js';

/** An accelerated vSMMU needs an SMMUv3 of the host to stand for. */
export const hostWithoutSmmu: Rule = ({ accelerated: [first], host, location }) =>
  first && host?.smmus.length === 0 ? [diagnostic.vsmmus({ location: location(first.iommu.element) })] : [];
