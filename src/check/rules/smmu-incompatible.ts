import { smmuIncompatible as diagnostic } from '../../diagnostics/vsmmu.js';
import { missingForVsmmu } from '../../domain/smmu-registers.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `Host SMMUv3 doesn't support 16K translation granule` and the like, whatever the values of the vSMMU. */
export const smmuIncompatible: Rule = ({ accelerated, host, location }) =>
  accelerated.flatMap((vsmmu) => {
    const { owner: smmu, iommu } = vsmmu;
    if (smmu === undefined) return [];
    const missing = missingForVsmmu(host?.smmu(smmu)?.registers);
    if (missing.length === 0) return [];
    return [diagnostic.vsmmu({ vsmmu: nameOf(vsmmu), smmu, missing, location: location(iommu.element, 'driver') })];
  });
