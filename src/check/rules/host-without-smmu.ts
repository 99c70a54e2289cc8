import { hostWithoutSmmu as diagnostic } from '../../diagnostics/vsmmu.js';
import type { Rule } from '../inspection.js';

/** An accelerated vSMMU needs an SMMUv3 on the host. */
export const hostWithoutSmmu: Rule = ({ accelerated: [first], host, location }) =>
  first && host?.smmus.length === 0 ? [diagnostic.vsmmus({ location: location(first.iommu.element) })] : [];
