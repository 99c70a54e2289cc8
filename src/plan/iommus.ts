import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { EXPANDER_MODELS } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Plan } from '../generated/plan.js';
import type { Policy } from './policy.js';
import { changesOf, type StageResult } from './stage.js';
import type { Verdicts } from './verdict.js';

/** The SMMUs of a domain by what they translate for, and the IOMMUs that are none of these. */
export interface AssignedIommus {
  /** By the controller index of an expander bus. */
  readonly iommuOf: ReadonlyMap<ControllerIndex, Iommu>;
  /** The SMMU of `pcie.0`: the whole machine's (`pciBus` missing), or that bus's own. */
  readonly rootIommu: Iommu | undefined;
  /** The IOMMUs that cannot be beside vSMMUs, with the reason. */
  readonly conflicts: readonly { readonly iommu: Iommu; readonly message: string }[];
}

/** Finds the root bus of each SMMU, and what QEMU 11.1 would refuse beside one or as one. */
export function assignIommus(domain: Domain, tree: PciTree): AssignedIommus {
  const iommuOf = new Map<ControllerIndex, Iommu>();
  const conflicts: { iommu: Iommu; message: string }[] = [];
  let rootIommu: Iommu | undefined;
  for (const [i, iommu] of domain.iommus.entries()) {
    const { model, pciBus } = iommu;
    const complain = (message: string) => conflicts.push({ iommu, message });
    if (model === 'virtio') {
      // QEMU 11.1 accepts one that it is given after the SMMUs (booted); libvirt keeps the order of the document.
      const after = domain.iommus.slice(i + 1).some((other) => other.model === 'smmuv3');
      if (after) complain("<iommu model='virtio'/> must be after all vSMMUs");
    } else if (model !== 'smmuv3') {
      complain(`<iommu model='${model}'/> cannot be beside vSMMUs`);
    } else if (pciBus === undefined || pciBus === ROOT_BUS) {
      if (rootIommu) complain('pcie.0 has an SMMU already');
      else rootIommu = iommu;
    } else if (iommuOf.has(pciBus)) {
      complain(`two SMMUs name the PCI controller ${pciBus}`);
    } else if (!EXPANDER_MODELS.has(tree.controller(pciBus)?.model ?? '')) {
      const what = tree.controller(pciBus)?.model ?? 'not in the domain';
      complain(`pciBus='${pciBus}' must name a pcie-expander-bus; controller ${pciBus} is ${what}`);
    } else {
      iommuOf.set(pciBus, iommu);
    }
  }
  return { iommuOf, rootIommu, conflicts };
}

/** What becomes of an SMMU of `pcie.0`. */
export interface RootIommuPlan extends StageResult {
  readonly machineIommu: Plan['machineIommu'];
}

/**
 * Decides on an SMMU of `pcie.0`, the whole machine's or that bus's own (rule "Other IOMMUs"): QEMU 11.1 takes none for the
 * machine beside those of expander buses, and no host device behind one that is emulated.
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
    return { machineIommu, diagnostics, changes: changesOf(action, machineIommu === 'none' ? [] : ['iommu 0']) };
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
