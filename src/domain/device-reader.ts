import { diagnostic, InputError, type Place } from '../diagnostics.js';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import { type BusNumber, type ControllerIndex, formatBdf, type GuestAddress, readPciAddress } from './address.js';
import { MAX_BUS_NR, MAX_CONTROLLER_INDEX, type PciController, ROOT_MODELS } from './controller.js';
import { awaitsPciAddress, type GuestDevice, type HostDevice, hostDeviceSource, isSerialAgain } from './device.js';
import { type Iommu, VSMMU_ATTRIBUTES } from './iommu.js';
import type { CellId } from './numa.js';
import { parseNumber } from './number.js';

/** The cell that an expander bus's `<target>` names; undefined where it names none that there can be. */
function cellOf(target: XmlElement | undefined): CellId | undefined {
  const text = target?.child('node')?.text.trim() ?? '';
  return /^\d{1,5}$/.test(text) ? (Number(text) as CellId) : undefined;
}

/** Whether an element's address is the first of several functions of its slot. */
function isMultifunction(element: XmlElement): boolean {
  return element.child('address')?.attribute('multifunction') === 'on';
}

/** Sorts the children of `<devices>` by what they are to PCI. */
export class DeviceReader {
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
      multifunction: isMultifunction(element),
      busNr: this.#number(target, 'busNr', place, MAX_BUS_NR, 1) as BusNumber | undefined,
      chassis: this.#number(target, 'chassis', place, 255),
      node: cellOf(target),
      alias: element.child('alias')?.attribute('name'),
      place,
      element,
    };
    const index = this.#number(element, 'index', place, MAX_CONTROLLER_INDEX);
    if (controller.model === 'pcie-root' && index !== undefined && index !== 0) {
      const message = `index='${element.attribute('index')}' of pcie-root is ${index}, and libvirt takes only 0`;
      throw new InputError(diagnostic('number-invalid', message, { place }));
    }
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
      multifunction: isMultifunction(element),
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
        nodeset: element.child('acpi')?.attribute('nodeset'),
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
      if (index > MAX_CONTROLLER_INDEX) {
        const message = `more than ${MAX_CONTROLLER_INDEX + 1} PCI controllers, which libvirt does not take`;
        throw new InputError(diagnostic('number-invalid', message, { place: controller.place }));
      }
      taken.add(index);
      this.controllers.push({ ...controller, index: index as ControllerIndex });
    }
    this.controllers.sort((a, b) => a.element.start - b.element.start);
  }
}
