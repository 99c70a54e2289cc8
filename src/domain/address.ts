/** libvirt's number of a PCI controller, 0–255: what `index=` says and what `bus=` of a guest address names. */
export type ControllerIndex = number & { readonly __unit: 'controller index' };

/** A PCI bus number as the guest sees it, 0–255: what `busNr` of an expander bus says. */
export type BusNumber = number & { readonly __unit: 'bus number' };

/** A PCI address of the host, always lower-case `dddd:bb:ss.f`; the domain has four digits or more. */
export type Bdf = string & { readonly __unit: 'bdf' };

/** The four parts of a PCI address, each a number in its range. */
export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly slot: number;
  readonly func: number;
}

const BDF = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/** `0000:31:10.2` of its parts. */
export function formatBdf({ domain, bus, slot, func }: PciAddress): Bdf {
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}` as Bdf;
}

/** The parts of `0000:31:10.2`, or undefined where the text is none. Takes upper case, and `31:10.2` as `lspci` prints it. */
export function parseBdf(text: string): PciAddress | undefined {
  const lower = text.toLowerCase();
  const m = BDF.exec(/^[0-9a-f]{2}:/.test(lower) ? `0000:${lower}` : lower);
  if (!m) return undefined;
  const [domain = 0, bus = 0, slot = 0, func = 0] = m.slice(1).map((part) => Number.parseInt(part, 16));
  return { domain, bus, slot, func };
}

/** Orders BDFs by number, not by text, so that `10000:…` follows `ffff:…`. */
export function compareBdf(a: Bdf, b: Bdf): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
