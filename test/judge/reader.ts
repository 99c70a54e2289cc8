import { type PlainElement as Element, plainTree } from '../xml/libxml2.js';

export type { Element };

export const child = (element: Element | undefined, name: string): Element | undefined =>
  element?.children.find((each) => each.name === name);

export interface Address {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
}

export interface Controller {
  readonly index: number;
  readonly model: string;
  readonly address: Address | undefined;
  readonly busNr: number | undefined;
  readonly chassis: number | undefined;
  readonly node: number | undefined;
  readonly alias: string | undefined;
  /** Whether libvirt never chooses it for a device without an address. */
  readonly reserved: boolean;
}

export interface Device {
  readonly name: string;
  readonly alias: string | undefined;
  readonly address: Address | undefined;
  /** The address on the host, for a host device. */
  readonly bdf: string | undefined;
  readonly unassigned: boolean;
  /** Whether libvirt gives it a PCI address when the domain is defined. */
  readonly needsAddress: boolean;
  readonly iommufd: boolean;
  readonly nodeset: readonly number[];
}

export interface Smmu {
  readonly model: string;
  readonly bus: number | undefined;
  readonly values: Readonly<Record<string, string>>;
}

export interface Cell {
  readonly id: number;
  readonly cpus: string;
  readonly memory: number;
}

/** A domain, read without code of vsmmu. */
export interface Guest {
  readonly root: Element;
  readonly controllers: ReadonlyMap<number, Controller>;
  readonly devices: readonly Device[];
  readonly smmus: readonly Smmu[];
  readonly cells: readonly Cell[];
  readonly memnodes: ReadonlyMap<number, number>;
  /** `<pcihole64>` in KiB; undefined: QEMU's default. */
  readonly hole: number | undefined;
}

/** Reads a number as strtoul(3) does with base 0. */
const number = (text: string | undefined): number => {
  if (text === undefined) return 0;
  return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
};

function addressOf(element: Element): Address | undefined {
  const address = child(element, 'address');
  if (address?.attributes.type !== 'pci') return undefined;
  const { bus, slot, function: func } = address.attributes;
  const at = { bus: number(bus), slot: number(slot), function: number(func) };
  return at.bus === 0 && at.slot === 0 ? undefined : at;
}

export function numbersOf(text: string | undefined): number[] {
  return (text ?? '').split(',').flatMap((part) => {
    if (part === '') return [];
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

/** The elements in the judge's domains that are not PCI devices. */
const NOT_PCI = new Set(['emulator', 'serial', 'console', 'iommu', 'channel']);

function deviceOf(element: Element, iommufd: boolean): Device[] {
  if (NOT_PCI.has(element.name)) return [];
  const { type = '', model = '' } = element.attributes;
  if (element.name === 'controller' && type === 'pci') return [];
  if (model === 'none' || child(element, 'target')?.attributes.bus === 'usb') return [];
  const source = child(child(element, 'source') ?? element, 'address');
  const isHost = element.name === 'hostdev' || (element.name === 'interface' && type === 'hostdev');
  const hex = (text: string | undefined, digits: number) => number(text).toString(16).padStart(digits, '0');
  const { domain, bus, slot, function: func } = (isHost && source?.attributes) || {};
  const address = addressOf(element);
  const unassigned = child(element, 'address')?.attributes.type === 'unassigned';
  const own = child(element, 'driver')?.attributes.iommufd;
  return [
    {
      name: element.name,
      alias: child(element, 'alias')?.attributes.name,
      address,
      bdf: isHost ? `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${hex(func, 1)}` : undefined,
      unassigned,
      needsAddress: !address && !unassigned,
      iommufd: own === undefined ? iommufd : own === 'yes',
      nodeset: numbersOf(child(element, 'acpi')?.attributes.nodeset),
    },
  ];
}

/** Reads a domain. */
export function guestOf(xml: string): Guest {
  const root = plainTree(xml);
  const elements = child(root, 'devices')?.children ?? [];
  const iommufd = child(root, 'iommufd')?.attributes.enabled === 'yes';
  const controllers = new Map<number, Controller>();
  for (const element of elements) {
    if (element.name !== 'controller' || element.attributes.type !== 'pci') continue;
    const target = child(element, 'target');
    const index = number(element.attributes.index);
    if (controllers.has(index)) throw new Error(`two controllers have the index ${index}`);
    const optional = (text: string | undefined) => (text === undefined ? undefined : number(text));
    controllers.set(index, {
      index,
      model: element.attributes.model ?? '',
      address: addressOf(element),
      busNr: optional(target?.attributes.busNr),
      chassis: optional(target?.attributes.chassis),
      node: optional(child(target, 'node')?.text),
      alias: child(element, 'alias')?.attributes.name,
      reserved: target?.attributes.hotplug === 'off',
    });
  }
  const smmus = elements
    .filter(({ name }) => name === 'iommu')
    .map((element) => {
      const { pciBus, ...values } = child(element, 'driver')?.attributes ?? {};
      return { model: element.attributes.model ?? '', bus: pciBus === undefined ? undefined : number(pciBus), values };
    });
  const numa = child(child(root, 'cpu'), 'numa');
  const hole = elements.find((e) => e.attributes.model === 'pcie-root');
  const size = child(hole, 'pcihole64')?.text;
  return {
    root,
    controllers,
    devices: elements.flatMap((element) => deviceOf(element, iommufd)),
    smmus,
    cells: (numa?.children ?? []).map(({ attributes: { id, cpus = '', memory = '0' } }, location) => ({
      id: id === undefined ? location : number(id),
      cpus,
      memory: number(memory),
    })),
    memnodes: new Map(
      (child(root, 'numatune')?.children ?? [])
        .filter(({ name }) => name === 'memnode')
        .map(({ attributes }) => [number(attributes.cellid), number(attributes.nodeset)]),
    ),
    hole: size === undefined ? undefined : number(size),
  };
}
