import { diagnostic } from '../../diagnostics.js';
import { assignIommus } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/** What QEMU 11.1 refuses of several IOMMUs, and of what an SMMU may be attached to; libvirt 12.8 takes all of it. */
export const iommuConflict: Rule = ({ domain, tree, location }) => {
  const owned = domain.iommus.filter(({ model, pciBus }) => model === 'smmuv3' && pciBus !== undefined);
  if (owned.length === 0) return [];
  const [first] = domain.iommus;
  const isMachineWide = first?.model === 'smmuv3' && first.pciBus === undefined;
  const beside = `the machine has an SMMU, and so has ${owned.length === 1 ? 'a bus of it' : `each of ${owned.length} buses`}`;
  return [...(isMachineWide ? [{ iommu: first, message: beside }] : []), ...assignIommus(domain.iommus, tree).conflicts]
    .filter(({ iommu }) => iommu === first || iommu.model !== 'smmuv3' || iommu.pciBus !== undefined)
    .map(({ iommu, message }) => diagnostic('iommu-conflict', message, { location: location(iommu.element) }));
};
