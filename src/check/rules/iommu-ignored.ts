import { iommuIgnored as diagnostic } from '../../diagnostics/vsmmu.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 creates a machine-wide SMMU only for the first `<iommu>`, and ignores the values of its `<driver>`. */
export const iommuIgnored: Rule = ({ domain, location }) =>
  domain.iommus.flatMap(({ model, pciBus, values, element }, i) => {
    if (model !== 'smmuv3' || pciBus !== undefined) return [];
    const names = Object.keys(values);
    const where = location(element, 'driver');
    if (i > 0) return [diagnostic.element({ location: where })];
    return names.length === 0 ? [] : [diagnostic.values({ names, location: where })];
  });
