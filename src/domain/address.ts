import type { Location } from '../diagnostics/diagnostic.js';
import { addressInvalid } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import type { XmlElement } from '../xml/document.js';
import { parseNumber } from './number.js';

/**
 * libvirt's number for a PCI controller, 0–255. It is the controller's `index=`, and the `bus=` of guest addresses behind it.
 */
export type ControllerIndex = number & { readonly __unit: 'controller index' };

/** Converts a number to a controller index. */
export function controllerIndex(index: number): ControllerIndex {
  return index as ControllerIndex;
}

/** A PCI bus number as the guest sees it, 0–255, such as the `busNr` of an expander bus. */
export type BusNumber = number & { readonly __unit: 'bus number' };

/** Converts a number to a bus number. */
export function busNumber(number: number): BusNumber {
  return number as BusNumber;
}

/** A PCI address with hardware bus numbers, always lower-case `dddd:bb:ss.f`. The domain has four or more digits. */
export type Bdf = string & { readonly __unit: 'bdf' };

/** The four parts of a PCI address. */
export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
}

/** A guest address as libvirt assigns it: a slot and function on the bus of a PCI controller. */
export interface GuestAddress {
  readonly bus: ControllerIndex;
  readonly slot: number;
  readonly function: number;
}

/** The guest address and the `multifunction` attribute of an `<address>`. */
export interface Place {
  readonly address: GuestAddress;
  readonly multifunction: boolean;
}

/** The four attributes of a PCI address and the highest value of each (libvirt 12.8, `virPCIDeviceAddressIsValid`). */
const LIMITS = { domain: 0xffffffff, bus: 0xff, slot: 0x1f, function: 7 } as const;

const BDF = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;

/** Formats a number as hexadecimal digits without a prefix. */
export const hex = (n: number, digits = 2): string => n.toString(16).padStart(digits, '0');

/** Formats a PCI address: `0000:31:10.2`. */
export function formatBdf({ domain, bus, slot, function: func }: PciAddress): Bdf {
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}` as Bdf;
}

/** libvirt's name for a PCI device (`virsh nodedev-list`). */
const NODE_DEVICE = /^pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])$/;

/**
 * Parses a BDF; undefined if the text is not one. Accepts upper case, `31:10.2` as `lspci` prints it, and `pci_0000_31_10_2`
 * as libvirt prints it.
 */
export function parseBdf(text: string): Bdf | undefined {
  // The usual form needs no conversion; a host can have thousands of them.
  if (text.length === '0000:00:00.0'.length && BDF.test(text)) return text as Bdf;
  const lower = text.toLowerCase().replace(NODE_DEVICE, '$1:$2:$3.$4');
  const full = /^[0-9a-f]{2}:/.test(lower) ? `0000:${lower}` : lower;
  return BDF.test(full) ? formatBdf(addressOf(full)) : undefined;
}

/** Returns the parts of a BDF. */
export function addressOf(bdf: string): PciAddress {
  const [domain = 0, bus = 0, slot = 0, func = 0] = bdf.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  return { domain, bus, slot, function: func };
}

/** Returns a BDF without its function: `0000:31:10`. */
export function slotOf(bdf: Bdf): string {
  return bdf.slice(0, -'.f'.length);
}

/** Orders BDFs by number, not by text, so that `10000:…` follows `ffff:…`. */
export function compareBdf(a: Bdf, b: Bdf): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** Formats a guest address as libvirt does, but without the 0x prefixes: `0a:00.0`. The bus is a controller index. */
export function formatGuestAddress({ bus, slot, function: func }: GuestAddress): string {
  return `${hex(bus, 2)}:${hex(slot, 2)}.${func}`;
}

/** Returns the attributes of the `<address>` in a host device's `<source>`, in libvirt's order and form. */
export function bdfAttributes(bdf: Bdf): [name: string, value: string][] {
  const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
  return [
    ['domain', `0x${domain}`],
    ['bus', `0x${bus}`],
    ['slot', `0x${slot}`],
    ['function', `0x${func}`],
  ];
}

/** Returns the attributes of a guest's `<address type='pci'/>`, in libvirt's order and form. */
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
 * Reads `domain`, `bus`, `slot` and `function` of a PCI `<address>` as libvirt does: each is a number in C's base 0 (decimal,
 * octal or hexadecimal), and a missing one is 0.
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
