import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { smmuOfAlias } from '../domain/alias.js';
import { EXPANDER_MODELS, type PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Host } from '../host/host.js';

/** An expander bus that is there already and has a vSMMU, or is one of ours. */
export interface CurrentExpanderBus {
  readonly controller: PciController;
  /** Its vSMMU; none on one of ours that had nothing to serve. */
  readonly iommu: Iommu | undefined;
  /** The host's SMMU that it serves: what its alias says, else its devices; undefined where neither tells. */
  readonly smmu: string | undefined;
}

/** The expander buses of a domain, by controller index, and the `<iommu>`s that are none of theirs. */
export interface CurrentTopology {
  readonly expanderBuses: ReadonlyMap<ControllerIndex, CurrentExpanderBus>;
  /** The vSMMU of `pcie.0`: the whole machine's (`pciBus` missing), or that bus's own. */
  readonly rootIommu: Iommu | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** The SMMUs of a domain by what they translate for, and the IOMMUs that are none of these. */
export interface AssignedIommus {
  /** By the controller index of an expander bus. */
  readonly iommuOf: ReadonlyMap<ControllerIndex, Iommu>;
  readonly rootIommu: Iommu | undefined;
  /** In the way of vSMMUs, and why. */
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

/** Reads what a domain has of expander buses and IOMMUs, and finds what QEMU would refuse of it (FACTS of QEMU 11.1, libvirt 12.8). */
export function readCurrentTopology(domain: Domain, tree: PciTree, host: Host): CurrentTopology {
  const expanderBuses = new Map<ControllerIndex, CurrentExpanderBus>();
  const diagnostics: Diagnostic[] = [];
  const { iommuOf, rootIommu, conflicts } = assignIommus(domain, tree);
  for (const { iommu, message } of conflicts) {
    diagnostics.push(diagnostic('iommu-conflict', message, { location: iommu.location }));
  }

  for (const controller of tree.expanders) {
    const iommu = iommuOf.get(controller.index);
    const named = smmuOfAlias(controller.alias, host.smmus);
    const emulated = domain.otherDevices.filter((d) => d.address && tree.rootOf(d.address.bus) === controller.index);
    // One of ours that lost its vSMMU and got something else since is an expander bus like any other.
    if (!iommu && (!named || emulated.length > 0)) continue;
    // Behind an SMMU that QEMU emulates, emulated devices are right; it can be no host device's.
    const isSoftware = iommu?.values.accel !== 'on' && emulated.length > 0;
    const smmu = isSoftware ? undefined : (named ?? ownerOf(controller.index, domain, tree, host));
    expanderBuses.set(controller.index, { controller, iommu, smmu });
  }
  return { expanderBuses, rootIommu, diagnostics };
}

/** The SMMU that most devices behind an expander bus are behind on the host; of several, the one with the lowest address. */
function ownerOf(bus: ControllerIndex, domain: Domain, tree: PciTree, host: Host): string | undefined {
  const behind = (device: HostDevice) => device.address && tree.rootOf(device.address.bus) === bus;
  const smmus = domain.hostDevices.filter(behind).flatMap((d) => host.device(d.bdf)?.smmu ?? []);
  const count = (name: string) => smmus.filter((smmu) => smmu === name).length;
  return host.smmus
    .map((smmu) => smmu.name)
    .filter((name) => smmus.includes(name))
    .sort((a, b) => count(b) - count(a))[0];
}
