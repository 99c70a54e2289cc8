import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { expanderBusNotRestored } from '../../diagnostics/record.js';
import { formatGuestAddress, type Place } from '../../domain/address.js';
import { isVsmmuAlias } from '../../domain/alias.js';
import type { Domain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { type Occupant, ROOT_BUS } from '../../domain/pci-tree.js';
import type { XmlElement } from '../../xml/document.js';

/** A controller or device that moves to another address; `to` is undefined if it loses its address. */
export interface Move {
  readonly occupant: Occupant;
  readonly to: Place | undefined;
  /** Whether it returns to its former address. */
  readonly isFormer: boolean;
}

/** The former addresses of elements that are still where vsmmu put them; undefined if an element had no address. */
export type FormerPlaces = ReadonlyMap<XmlElement, Place | undefined>;

/** Controllers and SMMUs that are restored. */
export type RestoredElements = Pick<Domain, 'controllers' | 'iommus'>;

/**
 * Returns the root ports of `pcie.0` that stay although vsmmu added them: ports of devices that vsmmu did not put there,
 * and ports that are function 0 of a slot in which other ports stay. Without them, the devices would move, or the guest
 * would not see the other ports.
 */
export function rootPortsInUse(domain: Domain, former: FormerPlaces): ReadonlySet<number> {
  const buses = [...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) =>
    address && !former.has(element) ? [address.bus] : [],
  );
  const ports = domain.controllers.filter((c) => c.model === 'pcie-root-port' && c.address?.bus === ROOT_BUS);
  const used = ports.filter(({ index }) => buses.includes(index));
  const others = ports.filter(({ alias }) => !isVsmmuAlias(alias));
  const slots = new Set([...used, ...others].map(({ address }) => address?.slot));
  const firsts = ports.filter(({ address }) => address?.function === 0 && slots.has(address.slot));
  return new Set([...used, ...firsts].map(({ index }) => index));
}

/**
 * Decides which addresses change. A device returns to its former address if that is free, its controller exists and its slot
 * has a function 0; otherwise it loses its address. Other devices behind controllers that leave lose their address, too.
 * @param leavingIommus indexes of the controllers whose SMMUs leave
 */
export function decideAddresses(
  domain: Domain,
  leaving: ReadonlySet<Occupant>,
  leavingIommus: ReadonlySet<number>,
  former: FormerPlaces,
  wanted: RestoredElements,
): { moves: readonly Move[]; returning: RestoredElements; diagnostics: readonly Diagnostic[] } {
  const { controllers, hostDevices, otherDevices } = domain;
  const gone = new Set<number>(controllers.filter((c) => leaving.has(c)).map((c) => c.index));
  const moves: Move[] = [];
  const taken = new Set<string>();
  for (const occupant of [...controllers, ...hostDevices, ...otherDevices]) {
    if (leaving.has(occupant)) continue;
    const { address, element } = occupant;
    if (former.has(element)) moves.push({ occupant, to: former.get(element), isFormer: true });
    else if (address && gone.has(address.bus)) moves.push(withoutAddress(occupant));
    else if (address) taken.add(formatGuestAddress(address));
  }
  const buses = new Set<number>([ROOT_BUS, ...controllers.filter((c) => !leaving.has(c)).map((c) => c.index)]);
  const present = domain.iommus.flatMap(({ pciBus = ROOT_BUS }) => (leavingIommus.has(pciBus) ? [] : [pciBus]));
  const restored = restoreControllers(wanted, taken, buses, new Set(present));
  const decided = moves.map((move) => {
    if (!move.to) return move;
    const at = formatGuestAddress(move.to.address);
    if (taken.has(at) || !buses.has(move.to.address.bus)) return withoutAddress(move.occupant);
    taken.add(at);
    return move;
  });
  // The guest does not scan a slot without function 0, and the device that was function 0 may be gone.
  const isVisible = ({ address }: Place) => taken.has(formatGuestAddress({ ...address, function: 0 }));
  const reachable = decided.map((move) => (move.to && !isVisible(move.to) ? withoutAddress(move.occupant) : move));
  return { moves: reachable, ...restored };
}

function withoutAddress(occupant: Occupant): Move {
  return { occupant, to: undefined, isFormer: false };
}

/** Restores all controllers together, or none if something else uses one of their indexes or addresses. */
function restoreControllers(
  { controllers, iommus }: RestoredElements,
  taken: Set<string>,
  buses: Set<number>,
  present: ReadonlySet<number>,
): { returning: RestoredElements; diagnostics: readonly Diagnostic[] } {
  const own = controllers.map((c) => c.index);
  const indexes = new Set([...buses, ...own]);
  const places = controllers.flatMap(({ address }) => (address ? [formatGuestAddress(address)] : []));
  const isBlocked =
    indexes.size < buses.size + controllers.length ||
    new Set(places).size < places.length ||
    places.some((at) => taken.has(at)) ||
    controllers.some(({ address }) => address && !indexes.has(address.bus));
  for (const index of isBlocked ? [] : own) buses.add(index);
  for (const at of isBlocked ? [] : places) taken.add(at);
  return {
    returning: {
      controllers: isBlocked ? [] : controllers,
      iommus: iommus.filter(({ pciBus = ROOT_BUS }) => buses.has(pciBus) && !present.has(pciBus)),
    },
    diagnostics: isBlocked ? [expanderBusNotRestored({ indexes: formatNodeset(own) })] : [],
  };
}
