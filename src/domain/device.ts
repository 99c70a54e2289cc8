import type { Location } from '../diagnostics/diagnostic.js';
import type { XmlElement } from '../xml/document.js';
import type { Bdf, GuestAddress } from './address.js';

/** A child of `<devices>` that is, or can become, a PCI function of the guest. PCI controllers have their own type. */
export interface GuestDevice {
  /** The element's name: `disk`, `interface`, `hostdev` … */
  readonly name: string;
  /** Its PCI address in the guest; undefined if it is not assigned yet. */
  readonly address: GuestAddress | undefined;
  readonly multifunction: boolean;
  /** Whether it has no address and libvirt assigns a PCI address when the domain is defined. */
  readonly awaitsAddress: boolean;
  readonly location: Location;
  readonly element: XmlElement;
}

/** A placeable device: `<hostdev mode='subsystem' type='pci'>` or `<interface type='hostdev'>` with a PCI source. */
export interface HostDevice extends GuestDevice {
  readonly name: 'hostdev' | 'interface';
  /** The address of the device on the host. */
  readonly bdf: Bdf;
  /** `<address type='unassigned'/>`: the device is reserved for the domain, but the guest does not see it. */
  readonly unassigned: boolean;
  /** `iommufd` of its `<driver>`. */
  readonly iommufd: 'yes' | 'no' | undefined;
  /** The NUMA cells of its Generic Initiators, as `<acpi nodeset>` lists them. */
  readonly nodeset: string | undefined;
}

/** Whether a controller or device is a placeable device. */
export function isHostDevice(occupant: object): occupant is HostDevice {
  return 'bdf' in occupant;
}

/**
 * Returns the source `<address>` of the PCI host device that an element of `<devices>` passes through; undefined for any
 * other element.
 */
export function hostDeviceSource(element: XmlElement): XmlElement | undefined {
  const type = element.attribute('type');
  const passesThrough =
    element.name === 'hostdev'
      ? type === 'pci' && (element.attribute('mode') ?? 'subsystem') === 'subsystem'
      : element.name === 'interface' && type === 'hostdev';
  if (!passesThrough) return undefined;
  const address = element.child('source')?.child('address');
  return (address?.attribute('type') ?? 'pci') === 'pci' ? address : undefined;
}

/**
 * Whether an element is an interface of a network that assigns host devices from a pool (libvirt: formatnetwork, `<forward
 * mode='hostdev'>`). The XML of a domain does not contain the mode of the network. It shows this mode only indirectly: by a
 * driver that only such networks use, or by the `<actual type='hostdev'>` that libvirt writes for a running domain.
 */
export function isPooledInterface(element: XmlElement): boolean {
  if (element.name !== 'interface' || element.attribute('type') !== 'network') return false;
  const driver = element.child('driver')?.attribute('name');
  return driver === 'vfio' || driver === 'kvm' || element.child('actual')?.attribute('type') === 'hostdev';
}

/**
 * Whether an element is a `<console>` that repeats the first `<serial>`: libvirt prints both, with the same address and
 * alias.
 */
export function isRepeatedSerial(element: XmlElement): boolean {
  return element.name === 'console' && element.child('target')?.attribute('type') === 'serial';
}

/** The types of controllers that are PCI functions but are not PCI controllers. */
const PCI_CONTROLLER_TYPES = new Set(['usb', 'scsi', 'virtio-serial', 'sata', 'nvme']);

/** Elements that are always a PCI function when libvirt gives them an address (aarch64 `virt`). */
const ALWAYS_PCI = new Set(['interface', 'filesystem', 'vsock', 'rng', 'shmem', 'crypto']);

/**
 * Whether libvirt assigns a PCI address to this child of `<devices>`, which has no `<address>`, on an aarch64 `virt` machine.
 * If unsure, it returns true: an unused reserved bus number costs nothing, but the guest panics if one is missing.
 */
export function awaitsPciAddress(element: XmlElement): boolean {
  const model = element.attribute('model') ?? element.child('model')?.attribute('type');
  const type = element.attribute('type');
  const targetBus = element.child('target')?.attribute('bus');
  switch (element.name) {
    case 'disk':
      return targetBus === 'virtio' || targetBus === undefined;
    case 'controller':
      return PCI_CONTROLLER_TYPES.has(type ?? '') && model !== 'none';
    case 'hostdev':
      return type !== 'usb' && type !== 'scsi' && element.attribute('mode') !== 'capabilities';
    case 'input':
      return element.attribute('bus') === 'virtio' || (element.attribute('bus') === undefined && type !== 'keyboard');
    case 'video':
    case 'memballoon':
      return model !== 'none';
    case 'sound':
      return model !== 'usb';
    case 'watchdog':
      return model === 'i6300esb';
    case 'panic':
      return model === 'pvpanic';
    case 'iommu':
      return model === 'virtio';
    case 'memory':
      return model === 'virtio-mem' || model === 'virtio-pmem';
    case 'serial':
      return element.child('target')?.attribute('type') === 'pci-serial';
    default:
      return ALWAYS_PCI.has(element.name);
  }
}

/** The controllers that libvirt adds, with a PCI address, if a device needs one and the domain does not have it. */
const IMPLIED_CONTROLLERS: readonly { type: string; neededBy: (element: XmlElement) => boolean }[] = [
  {
    type: 'scsi',
    neededBy: (e) =>
      (e.name === 'disk' && e.child('target')?.attribute('bus') === 'scsi') ||
      (e.name === 'hostdev' && e.attribute('type') === 'scsi'),
  },
  { type: 'sata', neededBy: (e) => e.name === 'disk' && e.child('target')?.attribute('bus') === 'sata' },
  {
    type: 'usb',
    neededBy: (e) =>
      e.attribute('bus') === 'usb' ||
      e.child('target')?.attribute('bus') === 'usb' ||
      (e.name === 'hostdev' && e.attribute('type') === 'usb') ||
      e.name === 'redirdev' ||
      e.name === 'hub',
  },
  {
    type: 'virtio-serial',
    neededBy: (e) => {
      const target = e.child('target')?.attribute('type');
      return (e.name === 'channel' || e.name === 'console') && target === 'virtio';
    },
  },
];

/**
 * Returns the number of PCI devices that libvirt itself adds to a domain: other controllers (USB, SCSI …) and a video card.
 */
export function impliedDevices(devices: readonly XmlElement[]): number {
  const has = (type: string) => devices.some((e) => e.name === 'controller' && e.attribute('type') === type);
  const controllers = IMPLIED_CONTROLLERS.filter(({ type, neededBy }) => !has(type) && devices.some(neededBy)).length;
  // libvirt adds a video card to a domain with a display and without a video card.
  const video = devices.some((e) => e.name === 'graphics') && !devices.some((e) => e.name === 'video') ? 1 : 0;
  return controllers + video;
}
