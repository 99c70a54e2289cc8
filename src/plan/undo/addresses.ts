import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { expanderBusNotRestored } from '../../diagnostics/record.js';
import { formatGuestAddress, type GuestAddress } from '../../domain/address.js';
import { isOurAlias } from '../../domain/alias.js';
import type { Domain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { type Occupant, ROOT_BUS } from '../../domain/pci-tree.js';
import type { XmlElement } from '../../xml/document.js';

/** A guest address as `<address>` gives it. */
export interface Place {
  readonly address: GuestAddress;
  readonly multifunction: boolean;
}

/** A controller or device that goes to another address; to none where `to` is undefined. */
export interface Move {
  readonly occupant: Occupant;
  readonly to: Place | undefined;
  /** Whether it returns to its former address. */
  readonly isFormer: boolean;
}

/** Where elements were that are still where vsmmu put them; undefined for no address. */
export type FormerPlaces = ReadonlyMap<XmlElement, Place | undefined>;

/** Controllers and SMMUs that come back. */
export type Returning = Pick<Domain, 'controllers' | 'iommus'>;

/**
 * Root ports of `pcie.0` that stay though vsmmu added them: those that libvirt gave to devices that vsmmu did not put there, and
 * those that are function 0 of a slot for ports that stay. The devices would move otherwise, or the guest would not see them.
 */
export function rootPortsInUse(domain: Domain, former: FormerPlaces): ReadonlySet<number> {
  const buses = [...domain.hostDevices, ...domain.otherDevices].flatMap(({ address, element }) =>
    address && !former.has(element) ? [address.bus] : [],
  );
  const ports = domain.controllers.filter((c) => c.model === 'pcie-root-port' && c.address?.bus === ROOT_BUS);
  const used = ports.filter(({ index }) => buses.includes(index));
  const others = ports.filter(({ alias }) => !isOurAlias(alias));
  const slots = new Set([...used, ...others].map(({ address }) => address?.slot));
  const firsts = ports.filter(({ address }) => address?.function === 0 && slots.has(address.slot));
  return new Set([...used, ...firsts].map(({ index }) => index));
}

/**
 * Decides which addresses change: devices go back to their former address where it is free, its controller is there and its slot
 * has a function 0; those behind controllers that leave have none.
 * @param leavingIommus controller indexes whose SMMUs leave
 */
export function decideAddresses(
  domain: Domain,
  leaving: ReadonlySet<Occupant>,
  leavingIommus: ReadonlySet<number>,
  former: FormerPlaces,
  wanted: Returning,
): { moves: readonly Move[]; returning: Returning; diagnostics: readonly Diagnostic[] } {
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
  const admitted = admit(wanted, taken, buses, new Set(present));
  const decided = moves.map((move) => {
    if (!move.to) return move;
    const at = formatGuestAddress(move.to.address);
    if (taken.has(at) || !buses.has(move.to.address.bus)) return withoutAddress(move.occupant);
    taken.add(at);
    return move;
  });
  // The guest does not look at a slot without function 0, and the device that was function 0 may be gone by now.
  const isVisible = ({ address }: Place) => taken.has(formatGuestAddress({ ...address, function: 0 }));
  const reachable = decided.map((move) => (move.to && !isVisible(move.to) ? withoutAddress(move.occupant) : move));
  return { moves: reachable, ...admitted };
}

function withoutAddress(occupant: Occupant): Move {
  return { occupant, to: undefined, isFormer: false };
}

/** Lets controllers come back all together, or none where something else has an index or an address of theirs. */
function admit(
  { controllers, iommus }: Returning,
  taken: Set<string>,
  buses: Set<number>,
  present: ReadonlySet<number>,
): { returning: Returning; diagnostics: readonly Diagnostic[] } {
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
