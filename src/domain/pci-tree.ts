import { groupBy } from '../group-by.js';
import { type ControllerIndex, controllerIndex, type GuestAddress } from './address.js';
import { EXPANDER_MODELS, type PciController, ROOT_MODELS } from './controller.js';
import type { GuestDevice, HostDevice } from './device.js';

/** `pcie.0`, or `pci.0` on machines without PCI Express. */
export const ROOT_BUS = controllerIndex(0);

/** The parts of a domain that have PCI addresses. */
export interface Occupants {
  readonly controllers: readonly PciController[];
  readonly hostDevices: readonly HostDevice[];
  readonly otherDevices: readonly GuestDevice[];
}

/** Anything that uses a function of a slot: a controller or a device. */
export type Occupant = PciController | GuestDevice;

/** An occupant with an address. */
type Addressed = Occupant & { readonly address: GuestAddress };

/** The PCI buses of a domain as libvirt sees them: which bus is below which, and the devices in each slot. */
export class PciTree {
  readonly #controllers: ReadonlyMap<ControllerIndex, PciController>;
  readonly #occupants: ReadonlyMap<ControllerIndex, readonly Addressed[]>;
  /** The highest of all controller indexes and of all `bus=` in use. */
  readonly highestIndex: ControllerIndex;

  constructor(domain: Occupants) {
    this.#controllers = new Map(domain.controllers.map((c) => [c.index, c]));
    const all: readonly Occupant[] = [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices];
    const addressed = all.filter((each): each is Addressed => each.address !== undefined);
    this.#occupants = groupBy(addressed, ({ address }) => address.bus);
    let highest: number = ROOT_BUS;
    for (const c of domain.controllers) highest = Math.max(highest, c.index);
    for (const bus of this.#occupants.keys()) highest = Math.max(highest, bus);
    this.highestIndex = controllerIndex(highest);
  }

  controller(index: ControllerIndex): PciController | undefined {
    return this.#controllers.get(index);
  }

  /** Returns all controllers and devices that have an address on a bus. */
  occupants(bus: ControllerIndex): readonly Addressed[] {
    return this.#occupants.get(bus) ?? [];
  }

  /** Returns the controllers and devices in one slot, sorted by function. */
  inSlot({ bus, slot }: Pick<GuestAddress, 'bus' | 'slot'>): readonly Addressed[] {
    return this.occupants(bus)
      .filter((o) => o.address.slot === slot)
      .sort((a, b) => a.address.function - b.address.function);
  }

  /** Returns the used slots of a bus. */
  takenSlots(bus: ControllerIndex): Set<number> {
    return new Set(this.occupants(bus).map((o) => o.address.slot));
  }

  /**
   * Returns the root bus above a bus: an expander bus, or `pcie.0`. The root bus of a root bus is itself. libvirt puts missing
   * controllers, and those without an address, below `pcie.0`.
   */
  rootOf(bus: ControllerIndex): ControllerIndex {
    const seen = new Set<ControllerIndex>();
    let index = bus;
    for (;;) {
      const controller = this.#controllers.get(index);
      if (!controller || ROOT_MODELS.has(controller.model) || seen.has(index)) return ROOT_BUS;
      if (EXPANDER_MODELS.has(controller.model)) return index;
      seen.add(index);
      index = controller.address?.bus ?? ROOT_BUS;
    }
  }

  /**
   * Returns the controllers at any depth below a root bus, without the root bus itself. Each one uses one bus number.
   * Expander buses are root buses, so they are not included.
   */
  busesBelow(root: ControllerIndex): readonly PciController[] {
    return [...this.#controllers.values()].filter(
      (c) => !ROOT_MODELS.has(c.model) && !EXPANDER_MODELS.has(c.model) && this.rootOf(c.index) === root,
    );
  }

  /** The expander buses, in the order of the document. */
  get expanders(): readonly PciController[] {
    return [...this.#controllers.values()].filter((c) => EXPANDER_MODELS.has(c.model));
  }

  /** Returns the root ports and downstream ports below a root bus. Each one has one slot, for one device. */
  ports(root: ControllerIndex): readonly PciController[] {
    return this.busesBelow(root).filter(isPort);
  }

  /**
   * Returns the root ports and downstream ports below a root bus that are empty, or whose occupants are all in `leaving`.
   * They are sorted by index, because libvirt fills the lowest first.
   */
  freePorts(root: ControllerIndex, leaving: ReadonlySet<Occupant> = new Set()): readonly PciController[] {
    return this.ports(root)
      .filter((c) => this.occupants(c.index).every((o) => leaving.has(o)))
      .sort((a, b) => a.index - b.index);
  }

  /** The number of unused indexes below the highest: libvirt adds a root port for each (12.8). */
  get gaps(): number {
    let gaps = 0;
    for (let index = 1; index <= this.highestIndex; index++) {
      if (!this.#controllers.has(controllerIndex(index))) gaps++;
    }
    return gaps;
  }
}

/** Whether a controller has exactly one slot below it, for one device. */
export function isPort({ model }: Pick<PciController, 'model'>): boolean {
  return model === 'pcie-root-port' || model === 'pcie-switch-downstream-port';
}
