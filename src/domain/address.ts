import type { Location } from '../diagnostics/diagnostic.js';
import { addressInvalid } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import type { XmlElement } from '../xml/document.js';
import { parseNumber } from './number.js';

/** libvirt's number of a PCI controller, 0–255: what `index=` says and what `bus=` of a guest address names. */
export type ControllerIndex = number & { readonly __unit: 'controller index' };

/** Takes a number for a controller index. */
export function controllerIndex(index: number): ControllerIndex {
  return index as ControllerIndex;
}

/** A PCI bus number as the guest sees it, 0–255: what `busNr` of an expander bus says. */
export type BusNumber = number & { readonly __unit: 'bus number' };

/** Takes a number for a bus number. */
export function busNumber(number: number): BusNumber {
  return number as BusNumber;
}

/** A PCI address of the host, always lower-case `dddd:bb:ss.f`; the domain has four digits or more. */
export type Bdf = string & { readonly __unit: 'bdf' };

/** The four parts of a PCI address as hardware numbers them. */
export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
}

/** Where libvirt puts a device in the guest: a slot of the bus that a PCI controller makes. */
export interface GuestAddress {
  readonly bus: ControllerIndex;
  readonly slot: number;
  readonly function: number;
}

/** The four attributes of a PCI address and the highest value of each (libvirt 12.8, `virPCIDeviceAddressIsValid`). */
const LIMITS = { domain: 0xffffffff, bus: 0xff, slot: 0x1f, function: 7 } as const;

const BDF = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/** `0000:31:10.2` of its parts. */
export function formatBdf({ domain, bus, slot, function: func }: PciAddress): Bdf {
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}` as Bdf;
}

/** libvirt's name of a PCI device (`virsh nodedev-list`). */
const NODE_DEVICE = /^pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])$/;

/**
 * Parses a BDF; undefined if the text is not one. Accepts upper case, `31:10.2` as `lspci` prints it, and
 * `pci_0000_31_10_2` as libvirt does.
 */
export function parseBdf(text: string): Bdf | undefined {
  const lower = text.toLowerCase().replace(NODE_DEVICE, '$1:$2:$3.$4');
  const m = BDF.exec(/^[0-9a-f]{2}:/.test(lower) ? `0000:${lower}` : lower);
  if (!m) return undefined;
  const [domain = 0, bus = 0, slot = 0, func = 0] = m.slice(1).map((part) => Number.parseInt(part, 16));
  return formatBdf({ domain, bus, slot, function: func });
}

/** Orders BDFs by number, not by text, so that `10000:…` follows `ffff:…`. */
export function compareBdf(a: Bdf, b: Bdf): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** How libvirt writes a guest address: `0x0a:0x00.0x0` without the prefixes, the bus being a controller index. */
export function formatGuestAddress({ bus, slot, function: func }: GuestAddress): string {
  return `${hex(bus, 2)}:${hex(slot, 2)}.${func}`;
}

/** The attributes of the `<address>` in a host device's `<source>`, in libvirt's order and form. */
export function bdfAttributes(bdf: Bdf): [name: string, value: string][] {
  const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
  return [
    ['domain', `0x${domain}`],
    ['bus', `0x${bus}`],
    ['slot', `0x${slot}`],
    ['function', `0x${func}`],
  ];
}

/** The attributes of a guest's `<address type='pci'/>`, in libvirt's order and form. */
export function guestAddressAttributes(
  { bus, slot, function: func }: GuestAddress,
  multifunction = false,
): [name: string, value: string][] {
  return [
    ['type', 'pci'],
    ['domain', '0x0000'],
    ['bus', `0x${hex(bus, 2)}`],
    ['slot', `0x${hex(slot, 2)}`],
    ['function', `0x${hex(func, 1)}`],
    ...(multifunction ? ([['multifunction', 'on']] as [string, string][]) : []),
  ];
}

/**
 * Reads the attributes of a PCI `<address>`: `domain`, `bus`, `slot`, `function`, each a number in C's base 0 and 0 where
 * it is missing, as libvirt reads them.
 * @throws InputError `address-invalid` if a part is not a number or is out of range
 */
export function readPciAddress(element: Pick<XmlElement, 'attribute'>, location: Location): PciAddress {
  const part = (name: keyof typeof LIMITS): number => {
    const text = element.attribute(name);
    if (text === undefined) return 0;
    const value = parseNumber(text);
    if (value !== undefined && value <= LIMITS[name]) return value;
    throw new InputError(addressInvalid.part({ name, value: text, maximum: LIMITS[name], location }));
  };
  return { domain: part('domain'), bus: part('bus'), slot: part('slot'), function: part('function') };
}
