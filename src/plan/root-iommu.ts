import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { HostDevice } from '../domain/device.js';
import type { Plan } from '../generated/plan.js';
import type { CurrentTopology } from './current.js';
import type { Policy } from './policy.js';
import type { Verdict } from './verdict.js';

/** What becomes of an SMMU of `pcie.0`, and what there is to say about it. */
export interface RootIommuPlan {
  readonly change: Plan['machineIommu'];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Decides on an SMMU of `pcie.0`, the whole machine's or that bus's own (rule "Other IOMMUs"): QEMU 11.1 takes none for the machine
 * beside those of expander buses, and no host device behind one that is emulated.
 * @param hasExpanderBus whether the domain has, or gets, an expander bus
 */
export function planRootIommu(
  { rootIommu }: CurrentTopology,
  verdicts: ReadonlyMap<HostDevice, Verdict>,
  policy: Policy,
  hasExpanderBus: boolean,
): RootIommuPlan {
  if (!rootIommu) return { change: 'none', diagnostics: [] };
  const conflict = (message: string, hint?: string): RootIommuPlan => ({
    change: 'none',
    diagnostics: [diagnostic('iommu-conflict', message, { location: rootIommu.location, hint })],
  });
  if (rootIommu.values.accel === 'on') {
    return conflict('the SMMU of pcie.0 is accelerated: emulated devices cannot be behind it');
  }
  const staying = [...verdicts].filter(([device, { smmu }]) => smmu === undefined && !device.unassigned);
  if (staying.length === 0) {
    return { change: hasExpanderBus && rootIommu.pciBus === undefined ? 'pcie-root' : 'none', diagnostics: [] };
  }
  if (policy.emulatedIommu === 'drop') return { change: 'drop', diagnostics: [] };
  return conflict(
    `${staying.map(([device]) => device.bdf).join(', ')} would be behind the emulated SMMU of pcie.0, where no host device can be`,
    'remove that <iommu>, or give --emulated-iommu drop',
  );
}
