import type { Diagnostic, Place } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { EXPANDER_MODELS } from '../domain/controller.js';
import type { GuestDevice, HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Host } from '../host/host.js';
import { type Target, UPSTREAM } from '../plan/target.js';
import type { XmlElement } from '../xml/document.js';

/** What a check may rest on beyond the domain and the host. */
export interface CheckOptions {
  /** Takes a domain that is not of type `kvm`: QEMU will not accelerate it. For test labs. */
  readonly forceTcg?: boolean;
  /** The libvirt and the QEMU that the domain is for; today's upstream where it is missing. */
  readonly target?: Target;
}

/** One thing that may be wrong with a domain: says where it is, or nothing. */
export type Rule = (inspection: Inspection) => readonly Diagnostic[];

/** An SMMU of the guest, and what is behind it. */
export interface Vsmmu {
  readonly iommu: Iommu;
  /** The root bus that it translates for. */
  readonly bus: ControllerIndex;
  readonly accelerated: boolean;
  /** The host devices behind it that the guest gets. */
  readonly hostDevices: readonly HostDevice[];
  /** The emulated devices behind it that have an address. */
  readonly emulated: readonly GuestDevice[];
}

/** A domain as the rules look at it, with what several of them ask. */
export class Inspection {
  readonly domain: Domain;
  /** Undefined: only what can be told from the domain alone. */
  readonly host: Host | undefined;
  readonly tree: PciTree;
  readonly target: Target;
  readonly forceTcg: boolean;
  /** Every SMMU that names a root bus of the domain, in the order of the document. */
  readonly vsmmus: readonly Vsmmu[];

  constructor(domain: Domain, host: Host | undefined, options: CheckOptions) {
    this.domain = domain;
    this.host = host;
    this.tree = new PciTree(domain);
    this.target = options.target ?? UPSTREAM;
    this.forceTcg = options.forceTcg ?? false;
    this.vsmmus = domain.iommus.flatMap((iommu) => this.#vsmmu(iommu) ?? []);
  }

  /** The vSMMUs that QEMU accelerates. */
  get accelerated(): readonly Vsmmu[] {
    return this.vsmmus.filter((vsmmu) => vsmmu.accelerated);
  }

  /** The host devices that the guest gets. */
  get givenDevices(): readonly HostDevice[] {
    return this.domain.hostDevices.filter((device) => !device.unassigned);
  }

  /** The root bus that a device is below; one without an address goes below `pcie.0`. */
  rootOf({ address }: GuestDevice): ControllerIndex {
    return address ? this.tree.rootOf(address.bus) : ROOT_BUS;
  }

  /** Where an element begins: the first of its children of these names that is there, else it itself. */
  place(element: XmlElement, ...children: readonly string[]): Place {
    const [child = element] = children.flatMap((name) => element.child(name) ?? []);
    return this.domain.document.place(child.start);
  }

  #vsmmu(iommu: Iommu): Vsmmu | undefined {
    const { pciBus: bus, model, values } = iommu;
    if (model !== 'smmuv3' || bus === undefined) return undefined;
    if (bus !== ROOT_BUS && !EXPANDER_MODELS.has(this.tree.controller(bus)?.model ?? '')) return undefined;
    return {
      iommu,
      bus,
      accelerated: values.accel === 'on',
      hostDevices: this.givenDevices.filter((device) => this.rootOf(device) === bus),
      emulated: this.domain.otherDevices.filter((device) => device.address && this.rootOf(device) === bus),
    };
  }
}

/** A vSMMU in words: `the vSMMU of PCI controller 8`. */
export function nameOf({ bus }: Vsmmu): string {
  return `the vSMMU of PCI controller ${bus}`;
}
