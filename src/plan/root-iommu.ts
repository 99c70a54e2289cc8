import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { Iommu } from '../domain/iommu.js';
import type { Plan } from '../generated/plan.js';
import type { Policy } from './policy.js';
import { changesOf, type StageResult } from './stage.js';
import type { Verdicts } from './verdict.js';

/** The decision on an SMMU of `pcie.0`. */
export interface RootIommuPlan extends StageResult {
  readonly machineIommu: Plan['machineIommu'];
}

/**
 * Decides on an SMMU of `pcie.0`, the whole machine's or that bus's own (rule "Other IOMMUs"): QEMU 11.1 refuses one for
 * the machine beside those of expander buses, and host devices behind an emulated one.
 * @param hasExpanderBus whether the domain has, or gets, an expander bus
 */
export function planRootIommu(
  rootIommu: Iommu | undefined,
  verdicts: Verdicts['of'],
  policy: Policy,
  hasExpanderBus: boolean,
): RootIommuPlan {
  const becomes = (machineIommu: Plan['machineIommu'], diagnostics: readonly Diagnostic[] = []): RootIommuPlan => {
    const action = machineIommu === 'drop' ? 'remove' : 'set';
    return { machineIommu, diagnostics, changes: changesOf(action, 'iommu', machineIommu === 'none' ? [] : [0]) };
  };
  if (!rootIommu) return becomes('none');
  const conflict = (message: string, hint?: string) =>
    becomes('none', [diagnostic('iommu-conflict', message, { location: rootIommu.location, hint })]);
  if (rootIommu.values.accel === 'on') {
    return conflict('the SMMU of pcie.0 is accelerated: emulated devices cannot be behind it');
  }
  const staying = [...verdicts].filter(([device, { smmu }]) => smmu === undefined && !device.unassigned);
  if (staying.length === 0) {
    return becomes(hasExpanderBus && rootIommu.pciBus === undefined ? 'pcie-root' : 'none');
  }
  if (policy.emulatedIommu === 'drop') return becomes('drop');
  return conflict(
    `${staying.map(([device]) => device.bdf).join(', ')} would be behind the emulated SMMU of pcie.0, where no host device can be`,
    'remove that <iommu>, or give --emulated-iommu drop',
  );
}
