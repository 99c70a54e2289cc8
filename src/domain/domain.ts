import type { Location } from '../diagnostics/diagnostic.js';
import { domainRoot } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import { parseXml, type XmlDocument, type XmlElement } from '../xml/document.js';
import type { PciController } from './controller.js';
import { type GuestDevice, type HostDevice, impliedDevices, isPooledInterface } from './device.js';
import { DeviceReader } from './device-reader.js';
import { findDuplicates } from './duplicates.js';
import type { Iommu } from './iommu.js';
import { type GuestNuma, readNuma } from './numa.js';
import { type Overrides, QEMU_NAMESPACE, readOverrides } from './overrides.js';
import { type PciHole64, readPciHole64 } from './pcihole64.js';

/** A domain: the parts that matter for placing host devices, each with its location and its element in the document. */
export interface Domain {
  readonly document: XmlDocument;
  /** Its name; empty if the XML has none. */
  readonly name: string;
  /** `kvm`, `qemu` … */
  readonly type: string;
  readonly arch: string | undefined;
  readonly machine: string | undefined;
  readonly acpi: boolean;
  /** `<devices>`, the last one if there are several; undefined if the domain has none. */
  readonly devicesElement: XmlElement | undefined;
  /** The children of every `<devices>`. */
  readonly deviceElements: readonly XmlElement[];
  /** The PCI controllers in the order of the document. Those that libvirt will add are not among them. */
  readonly controllers: readonly PciController[];
  /** Placeable devices in the order of the document. */
  readonly hostDevices: readonly HostDevice[];
  /** All other devices that have a PCI address or get one from libvirt. */
  readonly otherDevices: readonly GuestDevice[];
  /** Mediated devices (`<hostdev type='mdev'>`): not placed, but reported. */
  readonly mediatedDevices: readonly GuestDevice[];
  /** Interfaces that get a host device from a network's pool at each start, if the domain shows it (`isPooledInterface`). */
  readonly pooledInterfaces: readonly GuestDevice[];
  readonly iommus: readonly Iommu[];
  /** `<iommufd>` below `<domain>`: whether host devices use iommufd if their own element does not set it (libvirt 12.2). */
  readonly iommufd:
    | { readonly enabled: boolean; readonly location: Location; readonly element: XmlElement }
    | undefined;
  /**
   * The number of other PCI devices that libvirt adds (USB and SCSI controllers, a video card …). Each one needs an address.
   */
  readonly impliedDevices: number;
  readonly numa: GuestNuma;
  /** The size of the guest's window for 64-bit BARs, if `pcie-root` sets it. */
  readonly pciHole64: PciHole64 | undefined;
  /** The properties that `<qemu:override>` sets on QEMU's devices. */
  readonly overrides: Overrides;
  /** The arguments of `<qemu:commandline>`. */
  readonly commandline: readonly { readonly value: string; readonly location: Location }[];
}

/**
 * Reads a libvirt domain.
 * @param input the XML as text, or as bytes in UTF-8
 * @throws InputError if the text is not well-formed XML, is not a `<domain>`, or has a duplicate or invalid PCI address,
 * controller index or host device
 */
export function parseDomain(input: string | Uint8Array): Domain {
  const domain = readDomain(input);
  const duplicates = findDuplicates(domain);
  if (duplicates.length > 0) throw new InputError(duplicates);
  return domain;
}

/**
 * Reads a libvirt domain as `parseDomain` does, but accepts duplicates, so that `check` can report them.
 * @throws InputError if the text is not well-formed XML, is not a `<domain>`, or has an invalid number
 */
export function readDomain(input: string | Uint8Array): Domain {
  return domainOf(parseXml(input));
}

/**
 * Reads a libvirt domain from a parsed document, as `readDomain` does.
 * @throws InputError like `readDomain`
 */
export function domainOf(document: XmlDocument): Domain {
  const { root } = document;
  if (root.name !== 'domain' || root.namespace !== '') {
    throw new InputError(domainRoot({ element: root.name, location: document.location(root.start) }));
  }
  // libvirt 12.8 treats all of them as one; CloudStack writes two.
  const devicesElements = root.childrenNamed('devices');
  const children = devicesElements.flatMap((devices) => devices.children);
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
    devicesElement: devicesElements.at(-1),
    deviceElements: children,
    controllers: reader.controllers,
    hostDevices: reader.hostDevices,
    otherDevices: reader.otherDevices,
    mediatedDevices: reader.otherDevices.filter((d) => d.name === 'hostdev' && d.element.attribute('type') === 'mdev'),
    pooledInterfaces: reader.otherDevices.filter((device) => isPooledInterface(device.element)),
    iommus: reader.iommus,
    iommufd: iommufd && {
      enabled: iommufd.attribute('enabled') === 'yes',
      location: document.location(iommufd.start),
      element: iommufd,
    },
    impliedDevices: impliedDevices(children),
    numa: readNuma(document),
    pciHole64: readPciHole64(
      document,
      reader.controllers.find((c) => c.index === 0),
    ),
    commandline: commandline(document),
    overrides: readOverrides(document),
  };
}

/** Returns the arguments of `<qemu:commandline>`; its namespace can have any prefix. */
function commandline(document: XmlDocument): Domain['commandline'] {
  return document.root.children
    .filter((e) => e.localName === 'commandline' && e.namespace === QEMU_NAMESPACE)
    .flatMap((e) => e.children.filter((arg) => arg.localName === 'arg'))
    .map((arg) => ({ value: arg.attribute('value') ?? '', location: document.location(arg.start) }));
}
