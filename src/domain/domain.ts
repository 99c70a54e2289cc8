import { diagnostic, InputError, type Place } from '../diagnostics.js';
import { parseXml, type XmlDocument, type XmlElement } from '../xml/document.js';
import { type BusNumber, type ControllerIndex, formatBdf, type GuestAddress, readPciAddress } from './address.js';
import { MAX_BUS_NR, MAX_CONTROLLER_INDEX, type PciController, ROOT_MODELS } from './controller.js';
import {
  awaitsPciAddress,
  type GuestDevice,
  type HostDevice,
  hostDeviceSource,
  impliedControllers,
  isPooledInterface,
} from './device.js';
import { findDuplicates } from './duplicates.js';
import { type Iommu, VSMMU_ATTRIBUTES } from './iommu.js';
import { type CellId, type GuestNuma, readNuma } from './numa.js';
import { parseNumber } from './number.js';
import { type Overrides, QEMU_NAMESPACE, readOverrides } from './overrides.js';
import { type PciHole64, readPciHole64 } from './pcihole64.js';

/** A domain: what of it matters for placing its host devices, each part with its place and its element in the document. */
export interface Domain {
  readonly document: XmlDocument;
  /** libvirt's name of it; empty where the XML has none. */
  readonly name: string;
  /** `kvm`, `qemu` … */
  readonly type: string;
  readonly arch: string | undefined;
  readonly machine: string | undefined;
  readonly acpi: boolean;
  /** `<devices>`; none in a domain without it. */
  readonly devicesElement: XmlElement | undefined;
  /** The PCI controllers in the order of the document. Those that libvirt will add are not among them. */
  readonly controllers: readonly PciController[];
  /** Placeable devices in the order of the document. */
  readonly hostDevices: readonly HostDevice[];
  /** Every other device with a PCI address, or that libvirt will give one. */
  readonly otherDevices: readonly GuestDevice[];
  /** Mediated devices (`<hostdev type='mdev'>`): not placed, but told of. */
  readonly mediatedDevices: readonly GuestDevice[];
  /** Interfaces to which libvirt gives a host device of a network's pool at each start, as far as it can be told. */
  readonly pooledInterfaces: readonly GuestDevice[];
  readonly iommus: readonly Iommu[];
  /** `<iommufd>` below `<domain>`: whether host devices use iommufd where they do not say otherwise (libvirt 12.2). */
  readonly iommufd: { readonly enabled: boolean; readonly place: Place; readonly element: XmlElement } | undefined;
  /** PCI controllers of other kinds that libvirt will add (USB, SCSI …); each needs an address. */
  readonly impliedControllers: number;
  readonly numa: GuestNuma;
  /** The guest's space for 64-bit BARs, where `pcie-root` says how much. */
  readonly pciHole64: PciHole64 | undefined;
  /** What `<qemu:override>` gives to QEMU's devices. */
  readonly overrides: Overrides;
  /** The arguments of `<qemu:commandline>`. */
  readonly commandline: readonly { readonly value: string; readonly place: Place }[];
}

/**
 * Reads a libvirt domain.
 * @param input the XML as text, or as bytes in UTF-8
 * @throws InputError where it is not well-formed XML, not a `<domain>`, or names a PCI address, a controller index or a
 * host device twice, or one that there cannot be
 */
export function parseDomain(input: string | Uint8Array): Domain {
  const domain = readDomain(input);
  const duplicates = findDuplicates(domain);
  if (duplicates.length > 0) throw new InputError(duplicates);
  return domain;
}

/**
 * Reads a libvirt domain as `parseDomain` does, but takes one that names something twice: for looking at what is wrong.
 * @throws InputError where it is not well-formed XML, not a `<domain>`, or has a number that there cannot be
 */
export function readDomain(input: string | Uint8Array): Domain {
  const document = parseXml(input);
  const { root } = document;
  if (root.name !== 'domain' || root.namespace !== '') {
    throw new InputError(
      diagnostic('domain-root', `the root element is <${root.name}>, not <domain>`, {
        place: document.place(root.start),
      }),
    );
  }
  const devicesElement = root.child('devices');
  const children = devicesElement?.children ?? [];
  const reader = new DeviceReader(document);
  for (const element of children) reader.read(element);
  reader.numberControllers();

  const iommufd = root.child('iommufd');
  const os = root.child('os')?.child('type');
  return {
    document,
    name: root.child('name')?.text.trim() ?? '',
    type: root.attribute('type') ?? '',
    arch: os?.attribute('arch'),
    machine: os?.attribute('machine'),
    acpi: root.child('features')?.child('acpi') !== undefined,
    devicesElement,
    controllers: reader.controllers,
    hostDevices: reader.hostDevices,
    otherDevices: reader.otherDevices,
    mediatedDevices: reader.otherDevices.filter((d) => d.name === 'hostdev' && d.element.attribute('type') === 'mdev'),
    pooledInterfaces: reader.otherDevices.filter((device) => isPooledInterface(device.element)),
    iommus: reader.iommus,
    iommufd: iommufd && {
      enabled: iommufd.attribute('enabled') === 'yes',
      place: document.place(iommufd.start),
      element: iommufd,
    },
    impliedControllers: impliedControllers(children),
    numa: readNuma(document),
    pciHole64: readPciHole64(
      document,
      reader.controllers.find((c) => c.index === 0),
    ),
    commandline: commandline(document),
    overrides: readOverrides(document),
  };
}

/** The arguments of `<qemu:commandline>`, whatever prefix its namespace has. */
function commandline(document: XmlDocument): Domain['commandline'] {
  return document.root.children
    .filter((e) => e.localName === 'commandline' && e.namespace === QEMU_NAMESPACE)
    .flatMap((e) => e.children.filter((arg) => arg.localName === 'arg'))
    .map((arg) => ({ value: arg.attribute('value') ?? '', place: document.place(arg.start) }));
}

/** A `<console>` that stands for the first `<serial>`: libvirt prints both, with one address. */
function isSerialAgain(element: XmlElement): boolean {
  return element.name === 'console' && element.child('target')?.attribute('type') === 'serial';
}

/** The cell that an expander bus's `<target>` names; undefined where it names none that there can be. */
function cellOf(target: XmlElement | undefined): CellId | undefined {
  const text = target?.child('node')?.text.trim() ?? '';
  return /^\d{1,5}$/.test(text) ? (Number(text) as CellId) : undefined;
}

/** Sorts the children of `<devices>` by what they are to PCI. */
class DeviceReader {
  readonly controllers: PciController[] = [];
  readonly hostDevices: HostDevice[] = [];
  readonly otherDevices: GuestDevice[] = [];
  readonly iommus: Iommu[] = [];
  readonly #document: XmlDocument;
  /** Controllers whose `index` is missing: numbered when all others are known, as libvirt does it. */
  readonly #unnumbered: Omit<PciController, 'index'>[] = [];

  constructor(document: XmlDocument) {
    this.#document = document;
  }

  read(element: XmlElement): void {
    const place = this.#document.place(element.start);
    if (element.name === 'controller' && element.attribute('type') === 'pci') this.#readController(element, place);
    else if (element.name === 'iommu') this.#readIommu(element, place);
    else if (!isSerialAgain(element)) this.#readDevice(element, place);
  }

  #readController(element: XmlElement, place: Place): void {
    const target = element.child('target');
    const controller = {
      model: element.attribute('model') ?? '',
      address: this.#guestAddress(element),
      busNr: this.#number(target, 'busNr', place, MAX_BUS_NR, 1) as BusNumber | undefined,
      chassis: this.#number(target, 'chassis', place, 255),
      node: cellOf(target),
      alias: element.child('alias')?.attribute('name'),
      place,
      element,
    };
    const index = this.#number(element, 'index', place, MAX_CONTROLLER_INDEX);
    if (index !== undefined) this.controllers.push({ ...controller, index: index as ControllerIndex });
    else this.#unnumbered.push(controller);
  }

  #readIommu(element: XmlElement, place: Place): void {
    const driver = element.child('driver');
    const values: Record<string, string> = {};
    for (const name of VSMMU_ATTRIBUTES) {
      const value = driver?.attribute(name);
      if (value !== undefined) values[name] = value;
    }
    // Patched libvirts of before 12.7 (KubeVirt pins some) spell it so.
    const camel = driver?.attribute('ssidSize');
    if (camel !== undefined) values.ssidsize ??= camel;
    const pciBus = this.#number(driver, 'pciBus', place, MAX_CONTROLLER_INDEX) as ControllerIndex | undefined;
    const spellings = (['ssidsize', 'ssidSize'] as const).filter((name) => driver?.attribute(name) !== undefined);
    this.iommus.push({ model: element.attribute('model') ?? '', pciBus, values, spellings, place, element });
    // A virtio-iommu is a PCI device itself.
    this.#readDevice(element, place);
  }

  #readDevice(element: XmlElement, place: Place): void {
    const source = hostDeviceSource(element);
    const address = this.#guestAddress(element);
    const device = {
      name: element.name,
      address,
      multifunction: element.child('address')?.attribute('multifunction') === 'on',
      awaitsAddress: address === undefined && this.#hasNoPlace(element) && awaitsPciAddress(element),
      place,
      element,
    };
    if (source) {
      const iommufd = element.child('driver')?.attribute('iommufd');
      const unassigned = element.child('address')?.attribute('type') === 'unassigned';
      this.hostDevices.push({
        ...device,
        name: element.name === 'interface' ? 'interface' : 'hostdev',
        bdf: formatBdf(readPciAddress(source, this.#document.place(source.start))),
        unassigned,
        iommufd: iommufd === 'yes' || iommufd === 'no' ? iommufd : undefined,
      });
    } else if (address || device.awaitsAddress) {
      this.otherDevices.push(device);
    }
  }

  /** No `<address>` at all, or `<address type='pci'/>` with nothing in it: libvirt is to choose. */
  #hasNoPlace(element: XmlElement): boolean {
    const type = element.child('address')?.attribute('type');
    return type === undefined || type === 'pci';
  }

  /** The guest address of a device; undefined where it has none, or that of the host bridge, which libvirt 12.8 takes for none. */
  #guestAddress(element: XmlElement): GuestAddress | undefined {
    const address = element.child('address');
    if (address?.attribute('type') !== 'pci') return undefined;
    const place = this.#document.place(address.start);
    const { domain, bus, slot, function: func } = readPciAddress(address, place);
    if (domain !== 0) {
      throw new InputError(
        diagnostic('address-invalid', `domain='${address.attribute('domain')}' is no PCI domain of a guest`, {
          place,
          hint: 'libvirt has only domain 0 for guests',
        }),
      );
    }
    if (bus === 0 && slot === 0) return undefined;
    return { bus: bus as ControllerIndex, slot, function: func };
  }

  #number(element: XmlElement | undefined, name: string, place: Place, max: number, min = 0): number | undefined {
    const text = element?.attribute(name);
    if (text === undefined) return undefined;
    const value = parseNumber(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InputError(
      diagnostic('number-invalid', `${name}='${text}' is no number from ${min} to ${max}`, { place }),
    );
  }

  /** Gives each controller without an index the lowest free one, in the order of the document (libvirt 12.8). */
  numberControllers(): void {
    const taken = new Set<number>(this.controllers.map((c) => c.index));
    for (const controller of this.#unnumbered) {
      // 0 is a root bus's, written or not.
      let index = ROOT_MODELS.has(controller.model) ? 0 : 1;
      while (taken.has(index)) index++;
      taken.add(index);
      this.controllers.push({ ...controller, index: index as ControllerIndex });
    }
    this.controllers.sort((a, b) => a.element.start - b.element.start);
  }
}
