import { iommuConflict as diagnostic } from '../../diagnostics/vsmmu.js';
import { assignIommus } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/** Combinations of IOMMUs, and buses for an SMMU, that QEMU 11.1 refuses and libvirt 12.8 accepts. */
export const iommuConflict: Rule = ({ domain, tree, location }) => {
  const perBus = domain.iommus.filter(({ model, pciBus }) => model === 'smmuv3' && pciBus !== undefined);
  if (perBus.length === 0) return [];
  const [first] = domain.iommus;
  const isMachineWide = first?.model === 'smmuv3' && first.pciBus === undefined;
  const beside = isMachineWide
    ? [diagnostic.machineWide({ buses: perBus.length, location: location(first.element) })]
    : [];
  const conflicts = assignIommus(domain.iommus, tree).conflicts.filter(
    ({ iommu }) => iommu === first || iommu.model !== 'smmuv3' || iommu.pciBus !== undefined,
  );
  return [...beside, ...conflicts.map(({ found }) => found)];
};
