import { smmuSplit as diagnostic } from '../../diagnostics/vsmmu.js';
import { smmuOfAlias } from '../../domain/alias.js';
import { hasCommandQueues, MAX_CMDQV_DEVICES } from '../../domain/iommu.js';
import { groupBy } from '../../group-by.js';
import type { Rule, Vsmmu } from '../inspection.js';

/**
 * Several vSMMUs for one SMMU work (tested with QEMU 11.1), but each takes an expander bus, and QEMU has room for 16.
 * OpenNebula 7.2 writes one per device. vSMMUs that vsmmu added are not reported: the policy or a full expander bus
 * requires them. With command queues, many devices need several.
 */
export const smmuSplit: Rule = ({ accelerated, host, target, tree, location }) => {
  if (!host) return [];
  const isOwn = ({ bus }: Vsmmu) => smmuOfAlias(tree.controller(bus)?.alias, host.smmus) !== undefined;
  const used = accelerated.filter(({ hostDevices }) => hostDevices.length > 0);
  return [...groupBy(used, ({ owner }) => owner ?? null)].flatMap(([smmu, all]) => {
    // A second vSMMU of one bus is an error, which another rule reports.
    const vsmmus = all.filter(({ bus }, i) => all.findIndex((other) => other.bus === bus) === i);
    const [, second] = vsmmus;
    if (!second || vsmmus.every(isOwn)) return [];
    const devices = vsmmus.reduce((sum, { hostDevices }) => sum + hostDevices.length, 0);
    const { features } = host.smmu(smmu) ?? {};
    const hasQueues = vsmmus.some(({ iommu }) => hasCommandQueues(iommu.values, features, target));
    if (hasQueues && devices > MAX_CMDQV_DEVICES * (vsmmus.length - 1)) return [];
    const controllers = vsmmus.map(({ bus }) => bus);
    return [diagnostic({ devices, smmu, controllers, location: location(second.iommu.element, 'driver') })];
  });
};
