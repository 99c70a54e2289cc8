import { type Diagnostic, diagnostic, InputError } from '../../diagnostics.js';
import { formatGuestAddress } from '../../domain/address.js';
import { isOurAlias } from '../../domain/alias.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { type Occupant, ROOT_BUS } from '../../domain/pci-tree.js';
import type { XmlElement } from '../../xml/document.js';
import type { NewElement } from '../../xml/editor.js';
import { printElement } from '../../xml/print.js';
import { NONE, parseAddress } from '../properties.js';
import { isRestorable } from './managed.js';

/** A guest address that becomes another, or none. */
export interface Move {
  readonly occupant: Occupant;
  readonly to: string;
  /** Whether it is what the device had before. */
  readonly isFormer: boolean;
}

/** Controllers and SMMUs that come back. */
export type Returning = Pick<Domain, 'controllers' | 'iommus'>;

/** What addresses depend on. */
export interface Undoing {
  readonly leaving: ReadonlySet<Occupant>;
  /** Controller indexes whose SMMUs go. */
  readonly leavingIommus: ReadonlySet<number>;
  /** Former addresses of those that are where vsmmu put them. */
  readonly former: ReadonlyMap<XmlElement, string>;
  /** Undefined where a record would bring back what vsmmu never takes out. */
  readonly returning: Returning | undefined;
}

const NOTHING: Returning = { controllers: [], iommus: [] };

/** Reads what a record says was taken out; undefined where it is not all plain expander buses, ports and SMMUs. */
export function readReturning(removed: readonly NewElement[]): Returning | undefined {
  if (removed.length === 0) return NOTHING;
  try {
    const devices: NewElement = { name: 'devices', children: removed };
    const { controllers, iommus } = readDomain(printElement({ name: 'domain', children: [devices] }, '"', undefined));
    const elements = [...controllers, ...iommus].map((each) => each.element);
    return elements.length === removed.length && elements.every(isRestorable) ? { controllers, iommus } : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/**
 * Root ports of `pcie.0` that stay though vsmmu added them: those that libvirt gave to devices that vsmmu did not put there, and
 * those that are function 0 of a slot for ports that stay. The devices would move otherwise, or the guest would not see them. They
 * lose vsmmu's alias.
 * @param former as in `Undoing`
 */
export function rootPortsInUse(domain: Domain, former: ReadonlyMap<XmlElement, string>): ReadonlySet<number> {
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

/** Decides what becomes of each guest address, and whether what was taken out can come back. */
export function decideAddresses(
  domain: Domain,
  { leaving, leavingIommus, former, returning }: Undoing,
): { moves: readonly Move[]; returning: Returning; diagnostics: readonly Diagnostic[] } {
  const { controllers, hostDevices, otherDevices } = domain;
  const gone = new Set<number>(controllers.filter((c) => leaving.has(c)).map((c) => c.index));
  const moves: Move[] = [];
  const taken = new Set<string>();
  for (const occupant of [...controllers, ...hostDevices, ...otherDevices]) {
    if (leaving.has(occupant)) continue;
    const before = former.get(occupant.element);
    const isBehind = occupant.address && gone.has(occupant.address.bus);
    if (before !== undefined) moves.push({ occupant, to: before, isFormer: true });
    else if (isBehind) moves.push({ occupant, to: NONE, isFormer: false });
    else if (occupant.address) taken.add(formatGuestAddress(occupant.address));
  }
  const buses = new Set<number>([ROOT_BUS, ...controllers.filter((c) => !leaving.has(c)).map((c) => c.index)]);
  const present = new Set(domain.iommus.map(({ pciBus = ROOT_BUS }) => pciBus));
  for (const bus of leavingIommus) present.delete(bus as typeof ROOT_BUS);
  const admitted = admit(returning ?? NOTHING, taken, buses, present);
  const diagnostics = [...admitted.diagnostics];
  if (!returning) {
    const message = 'the record in <metadata> would put in elements that vsmmu never takes out; they are ignored';
    diagnostics.push(diagnostic('metadata-invalid', message));
  }
  const decided = moves.map((move) => {
    const to = parseAddress(move.to);
    if (!to) return move;
    const at = formatGuestAddress(to);
    if (taken.has(at) || !buses.has(to.bus)) return { ...move, to: NONE, isFormer: false };
    taken.add(at);
    return move;
  });
  const reachable = decided.map((move) => {
    const to = parseAddress(move.to);
    const first = to && formatGuestAddress({ ...to, function: 0 });
    // The guest does not look at a slot without function 0, and the device that was function 0 may be gone by now.
    const isAlone = first !== undefined && !taken.has(first);
    return isAlone ? { ...move, to: NONE, isFormer: false } : move;
  });
  return { moves: reachable, returning: admitted.returning, diagnostics };
}

/** Lets controllers come back all together, or none where something else has an index or a place of theirs. */
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
  const message = `the expander buses and ports made by hand (controllers ${formatNodeset(own)}) are not put back: something else has an index or a place of theirs`;
  return {
    returning: {
      controllers: isBlocked ? [] : controllers,
      iommus: iommus.filter(({ pciBus = ROOT_BUS }) => buses.has(pciBus) && !present.has(pciBus)),
    },
    diagnostics: isBlocked ? [diagnostic('expander-bus-not-restored', message)] : [],
  };
}

/** The domain once its devices have moved, for planning. */
export function afterMoves(
  domain: Domain,
  leaving: ReadonlySet<Occupant>,
  moves: readonly Move[],
  returning: Returning,
): Domain {
  const targets = new Map(moves.map(({ occupant, to }) => [occupant, parseAddress(to)]));
  const moved = <T extends Occupant>(occupant: T): T =>
    targets.has(occupant) ? { ...occupant, address: targets.get(occupant) } : occupant;
  return {
    ...domain,
    controllers: [...domain.controllers.filter((c) => !leaving.has(c)).map(moved), ...returning.controllers],
    hostDevices: domain.hostDevices.map(moved),
    otherDevices: domain.otherDevices.map(moved),
  };
}
