import { formatGuestAddress, type GuestAddress } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { parseNumber } from '../domain/number.js';
import type { Occupant } from '../domain/pci-tree.js';
import type { ChangedElement } from '../generated/metadata.js';
import { decodeAttributeValue } from '../xml/characters.js';
import type { XmlElement } from '../xml/document.js';

/** What becomes of the guest address of a controller or device when bridges go. */
export type Fate = 'stays' | 'restored' | 'dropped';

const NOWHERE = '00:00.0';

type Changes = ChangedElement['attributes'];

/**
 * Decides on each guest address. One that we changed goes back to what it was, unless somebody has changed it since, or
 * something else is there now. What is left on a bridge that goes loses its address: libvirt finds it a place.
 * @param leaving elements that go
 * @param buses the controller indexes that go with them
 * @param changes what was done to `address` of an element, where something was
 * @param given elements that had no address at all, or one that is put back as a whole
 * @param lost the indexes of controllers that were there and do not come back
 */
export function fatesOfAddresses(
  domain: Domain,
  leaving: ReadonlySet<XmlElement>,
  buses: ReadonlySet<number>,
  changes: ReadonlyMap<XmlElement, Changes>,
  given: ReadonlySet<XmlElement>,
  lost: ReadonlySet<number>,
): ReadonlyMap<Occupant, Fate> {
  const occupants: readonly Occupant[] = [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices];
  const fates = new Map<Occupant, Fate>();
  const returning: { occupant: Occupant; to: GuestAddress }[] = [];
  const taken = new Set<string>();
  for (const occupant of occupants) {
    const { element, address } = occupant;
    if (!address || leaving.has(element)) continue;
    const change = changes.get(element);
    if (change && isAsLeft(element, change)) {
      returning.push({ occupant, to: before(address, change) });
    } else if (buses.has(address.bus) || given.has(element)) {
      fates.set(occupant, 'dropped');
    } else {
      fates.set(occupant, 'stays');
      taken.add(formatGuestAddress(address));
    }
  }
  for (const { occupant, to } of returning) {
    const place = formatGuestAddress(to);
    // All zero is libvirt's word for none.
    if (place === NOWHERE) {
      fates.set(occupant, 'restored');
      continue;
    }
    fates.set(occupant, taken.has(place) || lost.has(to.bus) ? 'dropped' : 'restored');
    taken.add(place);
  }
  return fates;
}

/** Whether the address of an element still says what we wrote there. */
function isAsLeft(element: XmlElement, changes: Changes): boolean {
  const address = element.child('address');
  return Object.entries(changes).every(([key, change]) => {
    const [child, name = ''] = key.split('.');
    return child !== 'address' || !change || isSame(address?.attribute(name), change.now);
  });
}

/** Whether an attribute has a value, numbers by what they mean. */
export function isSame(present: string | undefined, now: string | null): boolean {
  if (present === undefined || now === null) return present === undefined && now === null;
  if (present === now) return true;
  const number = parseNumber(present);
  return number !== undefined && number === parseNumber(now);
}

/** The address that an element had. */
function before(address: GuestAddress, changes: Changes): GuestAddress {
  const part = (name: 'bus' | 'slot' | 'function') => {
    const change = changes[`address.${name}`];
    return change ? (parseNumber(decodeAttributeValue(change.was ?? '0')) ?? 0) : address[name];
  };
  return { bus: part('bus'), slot: part('slot'), function: part('function') } as GuestAddress;
}
