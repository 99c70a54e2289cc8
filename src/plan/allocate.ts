import { type ControllerIndex, controllerIndex, type Place } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';

/** libvirt packs this many root ports into one slot of `pcie.0`. */
const FUNCTIONS_PER_SLOT = 8;

/** QEMU's `chassis` is one byte. QEMU 11.1 refuses two ports with the same chassis (`Can't add chassis slot, error -16`). */
const MAX_CHASSIS = 255;

/**
 * Allocates controller indexes, slots and chassis numbers, each only once. Never fails: the budgets are checked afterwards, so
 * that all shortages are reported together.
 */
export class Allocator {
  readonly #slots = new Map<ControllerIndex, ReadonlySet<number>>();
  /** The lowest slot of each bus that may be free: all slots below it are taken. */
  readonly #nextSlots = new Map<ControllerIndex, number>();
  /** The chassis numbers in use. If a port has no chassis number, libvirt 12.8 uses its index. */
  readonly #chassis: Set<number>;
  readonly #tree: PciTree;
  readonly #gaps: ControllerIndex[];
  #nextIndex: number;

  /** @param gaps indexes below the highest one, which are allocated first */
  constructor(domain: Domain, tree: PciTree, gaps: readonly ControllerIndex[] = []) {
    this.#tree = tree;
    this.#gaps = [...gaps];
    this.#nextIndex = tree.highestIndex + 1;
    this.#chassis = new Set(domain.controllers.flatMap((c) => c.chassis ?? []));
    for (let index = 1; index <= tree.highestIndex; index++) {
      const chassis = tree.controller(controllerIndex(index))?.chassis;
      if (chassis === undefined && !gaps.includes(controllerIndex(index))) this.#chassis.add(index);
    }
  }

  /** Returns the first of the given gaps or, if none is left, the index after the highest one (rule "Indexes and slots"). */
  allocateIndex(): ControllerIndex {
    return this.#gaps.shift() ?? controllerIndex(this.#nextIndex++);
  }

  /** Returns the lowest free slot of a bus. Slot 0 of `pcie.0` is the host bridge. */
  allocateSlot(bus: ControllerIndex): number {
    const taken = this.#taken(bus);
    let slot = this.#nextSlots.get(bus) ?? (bus === ROOT_BUS ? 1 : 0);
    while (taken.has(slot)) slot++;
    this.#nextSlots.set(bus, slot + 1);
    return slot;
  }

  /** Returns addresses for root ports on `pcie.0`, packed into as few slots as libvirt would use. */
  packedRootSlots(ports: number): Place[] {
    const places: Place[] = [];
    for (let left = ports; left > 0; left -= FUNCTIONS_PER_SLOT) {
      const slot = this.allocateSlot(ROOT_BUS);
      const count = Math.min(left, FUNCTIONS_PER_SLOT);
      for (let i = 0; i < count; i++) {
        places.push({ address: { bus: ROOT_BUS, slot, function: i }, multifunction: i === 0 && count > 1 });
      }
    }
    return places;
  }

  /**
   * Returns a chassis number for the port with this index. As in libvirt, it is the index itself if no other port uses that
   * number. Otherwise it is the highest free number, because libvirt takes low numbers for the ports that it adds.
   */
  allocateChassis(index: ControllerIndex): number {
    let chassis: number = index;
    if (chassis > MAX_CHASSIS || this.#chassis.has(chassis)) {
      chassis = MAX_CHASSIS;
      while (chassis > 0 && this.#chassis.has(chassis)) chassis--;
    }
    this.#chassis.add(chassis);
    return chassis;
  }

  #taken(bus: ControllerIndex): ReadonlySet<number> {
    const taken = this.#slots.get(bus) ?? this.#tree.takenSlots(bus);
    this.#slots.set(bus, taken);
    return taken;
  }
}

/** Returns how many slots of `pcie.0` libvirt uses for this number of root ports. */
export function slotsForRootPorts(ports: number): number {
  return Math.ceil(ports / FUNCTIONS_PER_SLOT);
}
