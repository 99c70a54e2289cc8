import type { Location } from '../diagnostics/diagnostic.js';
import { addressInvalid, numberInvalid } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import { busNumber, controllerIndex, formatBdf, type GuestAddress, readPciAddress } from './address.js';
import { MAX_BUS_NR, MAX_CONTROLLER_INDEX, type PciController, ROOT_MODELS } from './controller.js';
import { awaitsPciAddress, type GuestDevice, type HostDevice, hostDeviceSource, isRepeatedSerial } from './device.js';
import type { Iommu } from './iommu.js';
import { type CellId, cellId } from './numa.js';
import { parseNumber } from './number.js';
import { readVsmmuValues } from './vsmmu-attributes.js';

/** Returns the cell that an expander bus's `<target>` names; undefined if it names none, or an invalid one. */
function cellOf(target: XmlElement | undefined): CellId | undefined {
  const text = target?.child('node')?.text.trim() ?? '';
  return /^\d{1,5}$/.test(text) ? cellId(Number(text)) : undefined;
}

/** Whether an element's address has `multifunction='on'`: other functions may be in its slot. */
function isMultifunction(element: XmlElement): boolean {
  return element.child('address')?.attribute('multifunction') === 'on';
}

/** Sorts the children of `<devices>` by their role on the PCI buses. */
export class DeviceReader {
  readonly controllers: PciController[] = [];
  readonly hostDevices: HostDevice[] = [];
  readonly otherDevices: GuestDevice[] = [];
  readonly iommus: Iommu[] = [];
  readonly #document: XmlDocument;
  /** Controllers without an `index`. `numberControllers` gives them one when all other indexes are known, as libvirt does. */
  readonly #unnumbered: Omit<PciController, 'index'>[] = [];

  constructor(document: XmlDocument) {
    this.#document = document;
  }

  read(element: XmlElement): void {
    const location = this.#document.location(element.start);
    if (element.name === 'controller' && element.attribute('type') === 'pci') this.#readController(element, location);
    else if (element.name === 'iommu') this.#readIommu(element, location);
    else if (!isRepeatedSerial(element)) this.#readDevice(element, location);
  }

  #readController(element: XmlElement, location: Location): void {
    const target = element.child('target');
    const controller = {
      model: element.attribute('model') ?? '',
      address: this.#guestAddress(element),
      multifunction: isMultifunction(element),
      busNr: optional(busNumber, this.#number(target, 'busNr', location, MAX_BUS_NR, 1)),
      chassis: this.#number(target, 'chassis', location, 255),
      node: cellOf(target),
      alias: element.child('alias')?.attribute('name'),
      location,
      element,
    };
    const index = this.#number(element, 'index', location, MAX_CONTROLLER_INDEX);
    if (controller.model === 'pcie-root' && index !== undefined && index !== 0) {
      const value = element.attribute('index') ?? '';
      throw new InputError(numberInvalid.rootIndex({ value, index, location }));
    }
    if (index !== undefined) this.controllers.push({ ...controller, index: controllerIndex(index) });
    else this.#unnumbered.push(controller);
  }

  #readIommu(element: XmlElement, location: Location): void {
    const driver = element.child('driver');
    const { values, spellings } = readVsmmuValues((name) => driver?.attribute(name));
    const pciBus = optional(controllerIndex, this.#number(driver, 'pciBus', location, MAX_CONTROLLER_INDEX));
    this.iommus.push({ model: element.attribute('model') ?? '', pciBus, values, spellings, location, element });
    // A virtio-iommu is a PCI device itself.
    this.#readDevice(element, location);
  }

  #readDevice(element: XmlElement, location: Location): void {
    const source = hostDeviceSource(element);
    const address = this.#guestAddress(element);
    const device = {
      name: element.name,
      address,
      multifunction: isMultifunction(element),
      awaitsAddress: address === undefined && this.#lacksAddress(element) && awaitsPciAddress(element),
      location,
      element,
    };
    if (source) {
      const iommufd = element.child('driver')?.attribute('iommufd');
      const unassigned = element.child('address')?.attribute('type') === 'unassigned';
      this.hostDevices.push({
        ...device,
        name: element.name === 'interface' ? 'interface' : 'hostdev',
        bdf: formatBdf(readPciAddress(source, this.#document.location(source.start))),
        unassigned,
        iommufd: iommufd === 'yes' || iommufd === 'no' ? iommufd : undefined,
        nodeset: element.child('acpi')?.attribute('nodeset'),
      });
    } else if (address || device.awaitsAddress) {
      this.otherDevices.push(device);
    }
  }

  /** Whether libvirt chooses the address: there is no `<address>`, or only `<address type='pci'/>`. */
  #lacksAddress(element: XmlElement): boolean {
    const type = element.child('address')?.attribute('type');
    return type === undefined || type === 'pci';
  }

  /** Returns a device's guest address; undefined if it has none, or slot 0 of bus 0, which libvirt 12.8 treats as no address. */
  #guestAddress(element: XmlElement): GuestAddress | undefined {
    const address = element.child('address');
    if (address?.attribute('type') !== 'pci') return undefined;
    const location = this.#document.location(address.start);
    const { domain, bus, slot, function: func } = readPciAddress(address, location);
    if (domain !== 0) {
      throw new InputError(addressInvalid.guestDomain({ value: address.attribute('domain') ?? '', location }));
    }
    if (bus === 0 && slot === 0) return undefined;
    return { bus: controllerIndex(bus), slot, function: func };
  }

  #number(element: XmlElement | undefined, name: string, location: Location, max: number, min = 0): number | undefined {
    const text = element?.attribute(name);
    if (text === undefined) return undefined;
    const value = parseNumber(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InputError(numberInvalid.range({ name, value: text, minimum: min, maximum: max, location }));
  }

  /** Gives each controller without an index the lowest free one, in the order of the document (libvirt 12.8). */
  numberControllers(): void {
    const taken = new Set<number>(this.controllers.map((c) => c.index));
    for (const controller of this.#unnumbered) {
      // Index 0 belongs to the root bus, even if the domain does not list it.
      let index = ROOT_MODELS.has(controller.model) ? 0 : 1;
      while (taken.has(index)) index++;
      if (index > MAX_CONTROLLER_INDEX) {
        const { location } = controller;
        throw new InputError(numberInvalid.controllers({ limit: MAX_CONTROLLER_INDEX + 1, location }));
      }
      taken.add(index);
      this.controllers.push({ ...controller, index: controllerIndex(index) });
    }
    this.controllers.sort((a, b) => a.element.start - b.element.start);
  }
}

/** Converts a value if it is defined. */
function optional<From, To>(make: (value: From) => To, value: From | undefined): To | undefined {
  return value === undefined ? undefined : make(value);
}
