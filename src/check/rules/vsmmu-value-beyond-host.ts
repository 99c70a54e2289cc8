import { vsmmuValueBeyondHost as diagnostic } from '../../diagnostics/vsmmu.js';
import { smmuOfAlias } from '../../domain/alias.js';
import { valuesBeyondHost } from '../../domain/vsmmu-attributes.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `Host SMMUv3 doesn't support Address Translation Services`, `Host SMMUv3 SSIDSIZE not compatible` and the like. */
export const vsmmuValueBeyondHost: Rule = ({ accelerated, host, tree, location }) =>
  accelerated.flatMap((vsmmu) => {
    if (!host) return [];
    const { bus, iommu } = vsmmu;
    const smmu = vsmmu.owner ?? smmuOfAlias(tree.controller(bus)?.alias, host.smmus) ?? '';
    return valuesBeyondHost(iommu.values, host.smmu(smmu)?.features).map((beyond) =>
      diagnostic.vsmmu({ ...beyond, vsmmu: nameOf(vsmmu), smmu, location: location(iommu.element, 'driver') }),
    );
  });
