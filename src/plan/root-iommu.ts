import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { iommuConflict } from '../diagnostics/vsmmu.js';
import type { Iommu } from '../domain/iommu.js';
import type { Plan } from '../generated/plan.js';
import type { Policy } from '../policy/policy.js';
import { changesOf, type StageResult } from './stage.js';
import type { Selection } from './verdict.js';

/** The decision on the SMMU of `pcie.0`. */
export interface RootIommuPlan extends StageResult {
  readonly machineIommu: Plan['machineIommu'];
}

/**
 * Decides what happens to an SMMU of `pcie.0` or of the whole machine (rule "Other IOMMUs"). QEMU 11.1 refuses a machine-wide
 * SMMU together with SMMUs of expander buses, and refuses host devices behind an emulated SMMU.
 * @param hasExpanderBus whether the domain has, or gets, an expander bus
 */
export function planRootIommu(
  rootIommu: Iommu | undefined,
  verdicts: Selection['verdicts'],
  policy: Policy,
  hasExpanderBus: boolean,
): RootIommuPlan {
  const decide = (machineIommu: Plan['machineIommu'], diagnostics: readonly Diagnostic[] = []): RootIommuPlan => {
    const action = machineIommu === 'drop' ? 'remove' : 'set';
    return { machineIommu, diagnostics, changes: changesOf(action, 'iommu', machineIommu === 'none' ? [] : [0]) };
  };
  if (!rootIommu) return decide('none');
  const { location } = rootIommu;
  if (rootIommu.values.accel === 'on') return decide('none', [iommuConflict.acceleratedRoot({ location })]);
  const staying = [...verdicts].filter(([device, { smmu }]) => smmu === undefined && !device.unassigned);
  if (staying.length === 0) {
    return decide(hasExpanderBus && rootIommu.pciBus === undefined ? 'pcie-root' : 'none');
  }
  if (policy.emulatedIommu === 'drop') return decide('drop');
  const devices = staying.map(([device]) => device.bdf);
  return decide('none', [iommuConflict.emulatedRoot({ devices, location })]);
}
