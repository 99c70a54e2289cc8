import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import type { ControllerIndex } from '../domain/address.js';
import { smmuOfAlias } from '../domain/alias.js';
import { EXPANDER_MODELS } from '../domain/controller.js';
import type { GuestDevice, HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import { type Target, UPSTREAM } from '../domain/target.js';
import type { Host } from '../host/host.js';
import type { XmlElement } from '../xml/document.js';

/** The options of a check. */
export interface CheckOptions {
  /** Accepts a domain of a type other than `kvm`, which QEMU does not accelerate. For test labs. */
  readonly forceTcg?: boolean;
  /** The libvirt and QEMU versions that the domain is for; default: current upstream. */
  readonly target?: Target;
}

/** A check rule: returns a diagnostic per violation. */
export type Rule = (inspection: Inspection) => readonly Diagnostic[];

/** A vSMMU and the devices behind it. */
export interface Vsmmu {
  readonly iommu: Iommu;
  /** The root bus that it translates for. */
  readonly bus: ControllerIndex;
  readonly accelerated: boolean;
  /** The host devices behind it that the guest gets. */
  readonly hostDevices: readonly HostDevice[];
  /** The emulated devices behind it that have an address. */
  readonly emulated: readonly GuestDevice[];
  /** The host SMMU that it stands for; undefined if no device is behind it or the host is unknown. */
  readonly owner: string | undefined;
}

/** A domain, with derived data that several rules need. */
export interface Inspection extends Required<CheckOptions> {
  readonly domain: Domain;
  /** If undefined, only rules that need no host apply. */
  readonly host: Host | undefined;
  readonly tree: PciTree;
  /** Every SMMU that names a root bus of the domain, in document order. */
  readonly vsmmus: readonly Vsmmu[];
  /** Those that QEMU accelerates. */
  readonly accelerated: readonly Vsmmu[];
  /** The host devices that the guest gets. */
  readonly givenDevices: readonly HostDevice[];
  /** The root bus that a device is below; one without an address goes below `pcie.0`. */
  readonly rootOf: (device: GuestDevice) => ControllerIndex;
  readonly usesIommufd: (device: HostDevice) => boolean;
  /** The location of the first of these children that the element has, or else of the element itself. */
  readonly location: (element: XmlElement, ...children: readonly string[]) => Location;
}

/** Derives the data that several rules need. */
export function inspect(domain: Domain, host: Host | undefined, options: CheckOptions): Inspection {
  const tree = new PciTree(domain);
  const rootOf = ({ address }: GuestDevice) => (address ? tree.rootOf(address.bus) : ROOT_BUS);
  const givenDevices = domain.hostDevices.filter((device) => !device.unassigned);
  const vsmmus = domain.iommus.flatMap((iommu): readonly Vsmmu[] => {
    const { pciBus: bus, model, values } = iommu;
    if (model !== 'smmuv3' || bus === undefined) return [];
    const controller = tree.controller(bus);
    if (bus !== ROOT_BUS && !EXPANDER_MODELS.has(controller?.model ?? '')) return [];
    const hostDevices = givenDevices.filter((device) => rootOf(device) === bus);
    const emulated = domain.otherDevices.filter((device) => device.address && rootOf(device) === bus);
    const owner = host && ownerOf(hostDevices, controller?.alias, host);
    return [{ iommu, bus, accelerated: values.accel === 'on', hostDevices, emulated, owner }];
  });
  return {
    domain,
    host,
    tree,
    target: options.target ?? UPSTREAM,
    forceTcg: options.forceTcg ?? false,
    vsmmus,
    accelerated: vsmmus.filter(({ accelerated }) => accelerated),
    givenDevices,
    rootOf,
    usesIommufd: ({ iommufd }) => (iommufd === undefined ? domain.iommufd?.enabled === true : iommufd === 'yes'),
    location: (element, ...children) => {
      const [child = element] = children.flatMap((name) => element.child(name) ?? []);
      return domain.document.location(child.start);
    },
  };
}

/** Returns the name of a vSMMU: `the vSMMU of PCI controller 8`. */
export function nameOf({ bus }: Vsmmu): string {
  return bus === ROOT_BUS ? 'the SMMU of pcie.0' : `the vSMMU of PCI controller ${bus}`;
}

/**
 * Returns the host SMMU of a vSMMU: the one that the expander bus's alias names, if one of its devices is behind it;
 * otherwise the SMMU of most devices.
 */
function ownerOf(devices: readonly HostDevice[], alias: string | undefined, host: Host): string | undefined {
  const smmus = devices.flatMap(({ bdf }) => host.device(bdf)?.smmu ?? []);
  const named = smmuOfAlias(alias, host.smmus);
  if (named !== undefined && smmus.includes(named)) return named;
  return host.smmuOfMost(devices);
}
