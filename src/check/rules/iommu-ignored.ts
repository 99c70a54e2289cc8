import { diagnostic } from '../../diagnostics.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 makes an SMMU of the whole machine of the first `<iommu>` only, and leaves out the values of its `<driver>`. */
export const iommuIgnored: Rule = ({ domain, location }) =>
  domain.iommus.flatMap(({ model, pciBus, values, element }, i) => {
    if (model !== 'smmuv3' || pciBus !== undefined) return [];
    const names = Object.keys(values);
    const details = { location: location(element, 'driver') };
    if (i > 0)
      return [diagnostic('iommu-ignored', 'libvirt ignores an SMMU without pciBus that is not the first', details)];
    if (names.length === 0) return [];
    return [diagnostic('iommu-ignored', `libvirt ignores ${names.join(', ')} of an SMMU without pciBus`, details)];
  });
