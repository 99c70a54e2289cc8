import { cmdqvSmallPages as diagnostic } from '../../diagnostics/vsmmu.js';
import { hasCommandQueues } from '../../domain/iommu.js';
import type { Rule } from '../inspection.js';

/**
 * QEMU (hw/arm/tegra241-cmdqv.c, `tegra241_cmdqv_init_regs`) limits a command queue to one page of the guest's memory, which is
 * contiguous on the host: 256 entries with pages of 4 KiB, 524288 with pages of 8 MiB or more.
 */
export const cmdqvSmallPages: Rule = ({ accelerated, host, target, domain, location }) => {
  const { root } = domain.document;
  if (root.child('memoryBacking')?.child('hugepages')) return [];
  const [first, ...more] = accelerated.filter(({ iommu, owner }) =>
    hasCommandQueues(iommu.values, host?.smmu(owner ?? '')?.features, target),
  );
  if (!first) return [];
  return [diagnostic({ vsmmus: 1 + more.length, location: location(first.iommu.element, 'driver') })];
};
