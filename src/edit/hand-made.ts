import { formatGuestAddress, type GuestAddress } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import { parseNumber } from '../domain/number.js';
import type { Occupant } from '../domain/pci-tree.js';
import type { DomainRecord, RemovedElement } from '../generated/metadata.js';
import { parseXml, type XmlElement } from '../xml/document.js';
import { find } from './path.js';
import type { Fate } from './places.js';

/** What a relayout took out with bridges that no record told of, as the record has it. */
export class HandMade {
  /** Addresses, by the element that they are to come back to. */
  readonly addresses: ReadonlyMap<XmlElement, RemovedElement>;
  /** The indexes of the controllers that went. */
  readonly buses: ReadonlySet<number>;
  readonly #controllers: readonly XmlElement[];

  constructor(root: XmlElement, { removed, changed }: DomainRecord) {
    this.#controllers = removed.flatMap((each) => (nameOf(each) === 'controller' ? [read(each)] : []));
    this.buses = new Set(this.#controllers.map((c) => number(c, 'index')));
    this.addresses = new Map(
      removed.flatMap((each) => {
        const element = nameOf(each) === 'address' ? find(root, each.from) : undefined;
        // Where the address that we gave instead is another now, somebody wants that one.
        const given = changed.find((c) => c.element === each.from)?.added.find((step) => step.startsWith('address['));
        return element && (given === undefined || find(element, given)) ? [[element, each]] : [];
      }),
    );
  }

  /** Whether what stays has taken the index or the place of a controller that went. */
  isBlocked(controllers: readonly PciController[], fates: ReadonlyMap<Occupant, Fate>): boolean {
    const indexes = new Set<number>(controllers.map((c) => c.index));
    const places = new Set(
      [...fates].flatMap(([{ address }, fate]) => (address && fate === 'stays' ? [formatGuestAddress(address)] : [])),
    );
    return this.#controllers.some((controller) => {
      const address = controller.child('address');
      return indexes.has(number(controller, 'index')) || (address && places.has(formatGuestAddress(place(address))));
    });
  }

  /** Whether an element that was taken out is one of these controllers, of their IOMMUs, or an address behind them. */
  isOf(removed: RemovedElement): boolean {
    switch (nameOf(removed)) {
      case 'controller':
      case 'address':
        return true;
      case 'iommu':
        return this.buses.has(number(read(removed).child('driver'), 'pciBus'));
      default:
        return false;
    }
  }
}

/** The index of a controller that was taken out; undefined for anything else. */
export function indexOf(removed: RemovedElement): number | undefined {
  return nameOf(removed) === 'controller' ? number(read(removed), 'index') : undefined;
}

/** The name of an element that was taken out. */
export function nameOf({ text }: RemovedElement): string | undefined {
  return /^\s*<([\w:]+)/.exec(text)?.[1];
}

function read({ text }: RemovedElement): XmlElement {
  return parseXml(text.trim()).root;
}

function number(element: XmlElement | undefined, attribute: string): number {
  return parseNumber(element?.attribute(attribute) ?? '') ?? -1;
}

function place(address: XmlElement): GuestAddress {
  const part = (name: string) => parseNumber(address.attribute(name) ?? '0') ?? 0;
  return { bus: part('bus'), slot: part('slot'), function: part('function') } as GuestAddress;
}
