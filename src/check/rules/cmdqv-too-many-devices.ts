import { cmdqvTooManyDevices as diagnostic } from '../../diagnostics/vsmmu.js';
import { hasCommandQueues, MAX_CMDQV_DEVICES as limit } from '../../domain/iommu.js';
import { nameOf, type Rule } from '../inspection.js';

/** See `MAX_CMDQV_DEVICES`. A warning if QEMU chooses the value: its version decides whether there are command queues. */
export const cmdqvTooManyDevices: Rule = ({ accelerated, host, target, location }) =>
  accelerated.flatMap((vsmmu) => {
    const { iommu, owner, hostDevices } = vsmmu;
    const devices = hostDevices.length;
    if (devices <= limit || !hasCommandQueues(iommu.values, host?.smmu(owner ?? '')?.features, target)) return [];
    const severity = iommu.values.cmdqv === undefined ? 'warning' : 'error';
    return [
      diagnostic({ vsmmu: nameOf(vsmmu), devices, limit, severity, location: location(iommu.element, 'driver') }),
    ];
  });
