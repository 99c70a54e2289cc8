import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { addressDropped, relayoutMoved, revertPortLeft } from '../../diagnostics/record.js';
import { formatGuestAddress } from '../../domain/address.js';
import { rootPortAlias } from '../../domain/alias.js';
import type { PciController } from '../../domain/controller.js';
import { isHostDevice } from '../../domain/device.js';
import type { Domain } from '../../domain/domain.js';
import { type Occupant, PciTree } from '../../domain/pci-tree.js';
import type { Port } from '../../generated/plan.js';
import { Allocator } from '../allocate.js';
import { newPort } from '../port.js';
import { decideAddresses, type FormerPlaces, type Move, type RestoredElements, rootPortsInUse } from './addresses.js';

/** The changes to the PCI topology that an undo requests. */
export interface UndoRequest {
  /** Controllers that vsmmu added. They leave unless something needs them. */
  readonly added: readonly PciController[];
  /** Indexes of controllers whose SMMUs leave, in addition to those of `added`. */
  readonly iommus: ReadonlySet<number>;
  readonly former: FormerPlaces;
  readonly returning: RestoredElements;
  /** Whether a new plan follows, which places host devices. Other devices then get a port of `pcie.0` each. */
  readonly relayout: boolean;
}

/** The PCI topology after an undo, with diagnostics. */
export interface UndoPlan {
  readonly leaving: ReadonlySet<Occupant>;
  readonly leavingIommus: ReadonlySet<number>;
  /** Indexes of ports of `pcie.0` that something needs. They stay, without vsmmu's alias. */
  readonly inUse: ReadonlySet<number>;
  readonly moves: readonly Move[];
  /** Root ports to add. */
  readonly ports: readonly Port[];
  readonly returning: RestoredElements;
  readonly diagnostics: readonly Diagnostic[];
}

/** Plans which controllers leave or are restored, where devices go, and which ports are needed. */
export function planUndo(domain: Domain, { added, iommus, former, returning, relayout }: UndoRequest): UndoPlan {
  const inUse = rootPortsInUse(domain, former);
  const leaving = new Set<Occupant>(added.filter(({ index }) => !inUse.has(index)));
  const left = added.filter((c) => leaving.has(c)).map(({ index }) => index);
  const leavingIommus = new Set<number>([...left, ...iommus]);
  const decided = decideAddresses(domain, leaving, leavingIommus, former, returning);
  const staying = afterMoves(domain, leaving, decided.moves, decided.returning);
  const tree = new PciTree(staying);
  // libvirt 12.8 would fill a gap in the indexes with a root port of its own.
  const gaps = left.filter((index) => index < tree.highestIndex && !tree.controller(index));
  const allocator = new Allocator(
    staying,
    tree,
    gaps.sort((a, b) => a - b),
  );
  const needsPort = ({ occupant }: Move) => relayout && !isHostDevice(occupant);
  const ports = allocator
    .packedRootSlots(Math.max(gaps.length, decided.moves.filter(needsPort).length))
    .map((place) => newPort(allocator, place, relayout ? rootPortAlias : () => null));
  const free = ports.map((port) => ({ bus: port.controllerIndex, slot: 0, function: 0 }));
  const moves = decided.moves.map((move) => {
    const address = needsPort(move) ? free.shift() : undefined;
    return address ? { ...move, to: { address, multifunction: false }, isFormer: false } : move;
  });
  const diagnostics = [...decided.diagnostics, ...moves.flatMap((move) => moveDiagnostics(move, relayout))];
  if (ports.length > 0 && !relayout) {
    diagnostics.push(revertPortLeft({ indexes: ports.map((port) => port.controllerIndex) }));
  }
  return { leaving, leavingIommus, inUse, moves, ports, returning: decided.returning, diagnostics };
}

/** Reports devices that move to an address other than their former one, or that lose their address. */
function moveDiagnostics({ occupant, to, isFormer }: Move, relayout: boolean): Diagnostic[] {
  if (isFormer || (relayout && !to)) return [];
  const { location } = occupant;
  const element = occupant.element.name;
  const address = occupant.address && formatGuestAddress(occupant.address);
  if (!to) return [addressDropped({ element, address, location })];
  return [relayoutMoved({ element, from: address, to: formatGuestAddress(to.address), location })];
}

/** Returns the domain after its devices have moved, for planning ports. */
function afterMoves(
  domain: Domain,
  leaving: ReadonlySet<Occupant>,
  moves: readonly Move[],
  returning: RestoredElements,
): Domain {
  const targets = new Map(moves.map(({ occupant, to }) => [occupant, to?.address]));
  const moved = <T extends Occupant>(occupant: T): T =>
    targets.has(occupant) ? { ...occupant, address: targets.get(occupant) } : occupant;
  return {
    ...domain,
    controllers: [...domain.controllers.filter((c) => !leaving.has(c)).map(moved), ...returning.controllers],
    hostDevices: domain.hostDevices.map(moved),
    otherDevices: domain.otherDevices.map(moved),
  };
}
