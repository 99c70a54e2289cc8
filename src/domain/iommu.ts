import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { iommuConflict } from '../diagnostics/vsmmu.js';
import type { SmmuFeatures } from '../generated/topology.js';
import type { XmlElement } from '../xml/document.js';
import type { ControllerIndex } from './address.js';
import { EXPANDER_MODELS } from './controller.js';
import { type PciTree, ROOT_BUS } from './pci-tree.js';
import { supports, type Target } from './target.js';
import { CHOSEN_ATTRIBUTES, type Spelling, type VsmmuValues } from './vsmmu-attributes.js';

/** An `<iommu>` of the domain. */
export interface Iommu {
  readonly model: string;
  /** The root bus that it translates for; undefined if it translates for the whole machine. */
  readonly pciBus: ControllerIndex | undefined;
  readonly values: VsmmuValues;
  /** The names of its attributes in the document. One attribute can have the spellings of several dialects. */
  readonly spellings: readonly Spelling[];
  readonly location: Location;
  readonly element: XmlElement;
}

/**
 * QEMU's limit of SMMUs per `virt` machine (11.1): it has 64 platform-bus interrupts, and each SMMU needs four. With
 * `cmdqv=on`, QEMU also creates 16 and refuses the 17th (tested). When it sets up command queues later, it adds a fifth
 * interrupt per SMMU (`tegra241_cmdqv_init` in hw/arm/tegra241-cmdqv.c). Whether these fit for more than 12 SMMUs is unknown.
 */
export const MAX_VSMMUS = 16;

/**
 * The limit of devices behind a vSMMU with command queues. Linux 7.2 gives each device a stream ID slot of the virtual interface
 * (`num_sids_per_vintf` in tegra241-cmdqv.c). Grace has 16, and so does QEMU's model (`CMDQV_NUM_SID_PER_VI_LOG2`). From the
 * source code, not tested: a further device gets no vDEVICE. The guest starts, but the device cannot do DMA when the guest
 * uses it.
 */
export const MAX_CMDQV_DEVICES = 16;

/**
 * Whether a vSMMU has command queues (cmdqv). If its value is left to QEMU, it has them if the host's SMMU has them.
 * @param features the features of the host's SMMU, as far as known
 */
export function hasCommandQueues({ cmdqv }: VsmmuValues, features: SmmuFeatures | undefined, target: Target): boolean {
  return supports(target, 'cmdqv') && (cmdqv === undefined ? features?.cmdqv === true : cmdqv === 'on');
}

/**
 * Returns the SMMUv3s that the guest gets. libvirt (12.8) creates an SMMUv3 for the whole machine only if it is the first
 * `<iommu>`.
 */
export function smmusOfGuest(iommus: readonly Iommu[]): readonly Iommu[] {
  return iommus.filter(({ model, pciBus }, i) => model === 'smmuv3' && (pciBus !== undefined || i === 0));
}

/** The SMMUs of a domain by the bus that they translate for, and the IOMMUs that conflict with them. */
export interface AssignedIommus {
  /** By the controller index of an expander bus. */
  readonly iommuOf: ReadonlyMap<ControllerIndex, Iommu>;
  /** The SMMU of `pcie.0`: either for the whole machine (without `pciBus`), or for that bus only. */
  readonly rootIommu: Iommu | undefined;
  /** The IOMMUs that cannot be combined with vSMMUs, each with its diagnostic. */
  readonly conflicts: readonly { readonly iommu: Iommu; readonly found: Diagnostic }[];
}

/** Finds the root bus of each SMMU, and the IOMMUs that QEMU 11.1 would refuse. */
export function assignIommus(iommus: readonly Iommu[], tree: PciTree): AssignedIommus {
  const iommuOf = new Map<ControllerIndex, Iommu>();
  const conflicts: { iommu: Iommu; found: Diagnostic }[] = [];
  let rootIommu: Iommu | undefined;
  for (const [i, iommu] of iommus.entries()) {
    const { model, pciBus, location } = iommu;
    const addConflict = (found: Diagnostic) => conflicts.push({ iommu, found });
    if (model === 'virtio') {
      // QEMU 11.1 accepts a virtio-iommu only after the SMMUs (tested with a running guest). libvirt keeps the order of the
      // document.
      const after = iommus.slice(i + 1).some((other) => other.model === 'smmuv3');
      if (after) addConflict(iommuConflict.virtioOrder({ location }));
    } else if (model !== 'smmuv3') {
      addConflict(iommuConflict.model({ model, location }));
    } else if (pciBus === undefined || pciBus === ROOT_BUS) {
      if (rootIommu) addConflict(iommuConflict.secondRoot({ location }));
      else rootIommu = iommu;
    } else if (iommuOf.has(pciBus)) {
      addConflict(iommuConflict.secondOnBus({ controller: pciBus, location }));
    } else if (!EXPANDER_MODELS.has(tree.controller(pciBus)?.model ?? '')) {
      const actual = tree.controller(pciBus)?.model;
      addConflict(iommuConflict.notExpanderBus({ controller: pciBus, model: actual, location }));
    } else {
      iommuOf.set(pciBus, iommu);
    }
  }
  return { iommuOf, rootIommu, conflicts };
}

/** Returns whether any `<iommu>` of a domain sets a value of its vSMMU. */
export function hasVsmmuValues({ iommus }: { readonly iommus: readonly Iommu[] }): boolean {
  return iommus.some(({ values }) => CHOSEN_ATTRIBUTES.some((name) => values[name] !== undefined));
}
