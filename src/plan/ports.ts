import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type ControllerIndex, formatGuestAddress, type GuestAddress } from '../domain/address.js';
import { expanderBusAlias, portAlias, rootPortAlias, switchAlias } from '../domain/alias.js';
import type { HostDevice } from '../domain/device.js';
import { reserveOf } from '../domain/overrides.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import type { Port, Renumbered } from '../generated/plan.js';
import { Allocator } from './allocate.js';
import type { RootDemand } from './bus-numbers.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import {
  assignPorts,
  type MirroredSwitch,
  type PortAssignment,
  type SwitchOf,
  switchOnHost,
  unmirroredDiagnostics,
} from './mirror.js';
import { keptPort, newPort, sparePortsOf, withReserves } from './port.js';
import { type CurrentExpanderBus, returnTo, type SlotMove, type SlotMoves } from './slots.js';
import { awaitingDevices, lackingSpare, type SparePort, spareExposure } from './spare-ports.js';
import { changesOf, type PlanContext, type StageResult } from './stage.js';

/** An expander bus with all its properties except its bus numbers. */
export interface ExpanderBusLayout extends ExpanderBusRequest {
  readonly controllerIndex: ControllerIndex;
  readonly address: GuestAddress | null;
  readonly alias: string | null;
  readonly ports: readonly Port[];
}

/** The guest address that a device moves to. */
export interface NewAddress {
  readonly address: GuestAddress;
  readonly multifunction: boolean;
}

/** Every controller to add, with its index, slot and chassis, and every address that changes. */
export interface PortPlan extends StageResult {
  readonly expanderBuses: readonly ExpanderBusLayout[];
  readonly rootPorts: readonly Port[];
  readonly addresses: ReadonlyMap<HostDevice, NewAddress>;
  /** Emulated devices that return to `pcie.0` from behind a vSMMU. */
  readonly returned: readonly Renumbered[];
  readonly rootDemand: RootDemand;
}

/** The devices and expander buses that need ports. */
export interface PortDemand {
  readonly slots: SlotMoves;
  readonly requests: readonly ExpanderBusRequest[];
  /** Expander buses with an accelerated vSMMU that stay as they are. */
  readonly others: readonly CurrentExpanderBus[];
}

/** An expander bus and the ports that it gets. */
interface BusPorts {
  readonly request: ExpanderBusRequest;
  readonly assignment: PortAssignment;
  /** The number of spare ports to add. */
  readonly spare: number;
}

/**
 * Assigns ports to each expander bus and to each moving slot. New controller indexes follow all others (rules
 * "Ports" and "Indexes and slots").
 * @param guarded whether `pcie.0` gets free ports that libvirt uses before those behind vSMMUs
 */
export function planPorts(context: PlanContext, demand: PortDemand, guarded: boolean): PortPlan {
  return new PortPlanner(context, demand).plan(guarded);
}

class PortPlanner {
  readonly #context: PlanContext;
  readonly #demand: PortDemand;
  readonly #allocator: Allocator;
  readonly #switchOf: SwitchOf;
  readonly #buses: readonly BusPorts[];
  readonly #addresses = new Map<HostDevice, NewAddress>();
  readonly #returned: Renumbered[] = [];
  readonly #diagnostics: Diagnostic[] = [];

  constructor(context: PlanContext, demand: PortDemand) {
    this.#context = context;
    this.#demand = demand;
    this.#allocator = new Allocator(context.domain, context.tree);
    this.#switchOf = switchOnHost(context);
    this.#buses = demand.requests.map((request) => {
      const assignment = assignPorts(request, context.tree, this.#switchOf);
      const { spare, diagnostics } = lackingSpare(request, assignment, context.policy);
      this.#diagnostics.push(...diagnostics);
      return { request, assignment, spare };
    });
  }

  plan(guarded: boolean): PortPlan {
    const { domain, tree } = this.#context;
    const rootPorts = this.#planRoot(guarded);
    const expanderBuses = this.#buses.map((bus) => this.#planExpanderBus(bus));
    const returned = new Set(this.#returned.map(({ to }) => to.bus));
    const added = rootPorts.filter(
      ({ devices, controllerIndex }) => devices.length === 0 && !returned.has(controllerIndex),
    );
    const guards = [...this.#unusedRootPorts().map(({ index }) => index), ...added.map((port) => port.controllerIndex)];
    const awaiting = awaitingDevices(domain, this.#demand.slots.leaving);
    this.#diagnostics.push(...spareExposure({ spare: this.#sparePorts(expanderBuses), guards, awaiting }));
    return {
      expanderBuses,
      rootPorts,
      addresses: this.#addresses,
      returned: this.#returned,
      rootDemand: {
        buses: tree.busesBelow(ROOT_BUS).length + rootPorts.length,
        libvirt: Math.max(0, awaiting - guards.length) + tree.gaps,
      },
      diagnostics: this.#diagnostics,
      changes: this.#changes(expanderBuses, rootPorts),
    };
  }

  #changes(expanderBuses: readonly ExpanderBusLayout[], rootPorts: readonly Port[]): StageResult['changes'] {
    const { overrides } = this.#context.domain;
    const ports = [...rootPorts, ...expanderBuses.flatMap((expanderBus) => expanderBus.ports)];
    const added = [...expanderBuses.filter(({ existing }) => !existing), ...ports.filter(({ kept }) => !kept)];
    const reserving = ports.filter(({ alias, reserve }) => reserve !== reserveOf(overrides, alias));
    return [
      ...changesOf('add', 'controller', added, ({ controllerIndex }) => controllerIndex),
      ...changesOf('set', 'controller', reserving, ({ controllerIndex }) => controllerIndex),
      ...changesOf('set', 'device', this.#addresses.keys(), ({ bdf }) => bdf),
      ...changesOf('set', 'guest', this.#returned, ({ from }) => formatGuestAddress(from)),
    ];
  }

  /** The slots that return to `pcie.0` from behind a vSMMU. */
  get #returning(): readonly SlotMove[] {
    return this.#demand.slots.moves.filter((move) => move.smmu === undefined);
  }

  /** Returns the free ports of `pcie.0` that no returning device uses, by index. */
  #unusedRootPorts() {
    const { leaving, emulated } = this.#demand.slots;
    return this.#context.tree.freePorts(ROOT_BUS, leaving).slice(this.#returning.length + emulated.length);
  }

  /**
   * Adds ports to `pcie.0`: for devices that return from behind a vSMMU, and as guards. libvirt 12.8 gives a device without an
   * address the free port with the lowest index, and a port behind a vSMMU becomes free when its device is detached. So each
   * port behind a vSMMU has a guard: a free port of `pcie.0` with a lower index, in addition to the ports for devices that wait
   * for an address. `<target hotplug='off'/>` on the ports behind vSMMUs does not help: libvirt 12.8 still gives such a port to
   * a device that is attached with --config, and a device on it cannot be detached from the running guest.
   */
  #planRoot(guarded: boolean): Port[] {
    const { domain, tree } = this.#context;
    const { leaving, emulated } = this.#demand.slots;
    const free = tree.freePorts(ROOT_BUS, leaving);
    const forReturning = Math.max(0, this.#returning.length + emulated.length - free.length);
    const added = this.#buses.reduce((sum, { spare, assignment }) => sum + spare + assignment.newDevicePorts, 0);
    const wanted = added + this.#portsBehind() + awaitingDevices(domain, leaving);
    const guards = guarded && added > 0 ? Math.max(0, wanted - this.#unusedRootPorts().length) : 0;

    const ports = this.#allocator
      .packedRootSlots(forReturning + guards)
      .map((place) => newPort(this.#allocator, { ...place, alias: rootPortAlias }));
    const targets = [...free.map(({ index }) => index), ...ports.map(({ controllerIndex }) => controllerIndex)];
    for (const move of this.#returning) this.#settle(move, targets.shift(), ports);
    for (const devices of emulated) {
      const bus = targets.shift();
      if (bus !== undefined) this.#returned.push(...returnTo(bus, devices));
    }
    return ports;
  }

  /** Returns the number of ports that are already behind an accelerated vSMMU. */
  #portsBehind(): number {
    const { requests, others } = this.#demand;
    const present = [...requests.filter(({ vsmmu }) => vsmmu).flatMap(({ existing }) => existing ?? []), ...others];
    return present.flatMap(({ controller }) => this.#context.tree.ports(controller.index)).length;
  }

  /** Returns the ports behind accelerated vSMMUs that will have nothing behind them. */
  #sparePorts(expanderBuses: readonly ExpanderBusLayout[]): readonly SparePort[] {
    const { tree } = this.#context;
    const { others, slots } = this.#demand;
    const spare = expanderBuses.flatMap(({ vsmmu, ports, freePorts }) => (vsmmu ? sparePortsOf(ports, freePorts) : []));
    return [
      ...spare.map(({ controllerIndex: index }) => ({ index, location: tree.controller(index)?.location })),
      ...others.flatMap(({ controller }) => tree.freePorts(controller.index, slots.leaving)),
    ];
  }

  #planExpanderBus({ request, assignment, spare }: BusPorts): ExpanderBusLayout {
    const { tree } = this.#context;
    const { existing, smmu } = request;
    const { singles, freePorts, switches } = assignment;
    const controllerIndex = existing?.controller.index ?? this.#allocator.index();
    const address = existing
      ? (existing.controller.address ?? null)
      : { bus: ROOT_BUS, slot: this.#allocator.slot(ROOT_BUS), function: 0 };
    const below = existing ? tree.busesBelow(controllerIndex).filter((c) => /port$/.test(c.model)) : [];
    const ports = below.map((controller) => keptPort(controller, request.inPlace));
    const targets = freePorts.map(({ index }) => index);
    for (let i = Math.max(0, singles.length - freePorts.length) + spare; i > 0; i--) {
      const port = this.#newPortOn(controllerIndex);
      ports.push(port);
      targets.push(port.controllerIndex);
    }
    for (const move of singles) this.#settle(move, targets.shift(), ports);
    for (const each of switches) ports.push(...this.#planSwitch(controllerIndex, each, ports));
    this.#diagnostics.push(...unmirroredDiagnostics(request, assignment, tree, this.#switchOf));
    const alias = existing ? (existing.controller.alias ?? null) : expanderBusAlias(smmu, controllerIndex);
    return { ...request, controllerIndex, address, alias, ports: withReserves(ports, request, this.#context) };
  }

  /** Returns the new ports of a switch. Each move gets a downstream port: a free existing one, or a new one. */
  #planSwitch(
    expanderBus: ControllerIndex,
    { upstream: present, freePorts, moves }: MirroredSwitch,
    there: readonly Port[],
  ): readonly Port[] {
    const own: Port[] = [];
    if (!present) {
      const root = this.#newPortOn(expanderBus);
      const address = { bus: root.controllerIndex, slot: 0, function: 0 };
      const model = 'pcie-switch-upstream-port';
      own.push(root, newPort(this.#allocator, { address, alias: switchAlias, model }));
    }
    const upstream = present?.index ?? own.at(-1)?.controllerIndex ?? expanderBus;
    const targets = freePorts.map(({ index }) => index);
    for (const move of moves) {
      const free = targets.shift();
      if (free === undefined) own.push(this.#newPortOn(upstream, 'pcie-switch-downstream-port'));
      this.#settle(move, free ?? own.at(-1)?.controllerIndex, [...there, ...own]);
    }
    return own;
  }

  /** Puts the devices of a slot on a port, and lists them on that port if it is one of `ports`. */
  #settle(move: SlotMove, bus: ControllerIndex | undefined, ports: readonly Port[]): void {
    if (bus === undefined) return;
    for (const { device, function: func, multifunction } of move.functions) {
      this.#addresses.set(device, { address: { bus, slot: 0, function: func }, multifunction });
    }
    ports.find((port) => port.controllerIndex === bus)?.devices.push(...move.functions.map((f) => f.device.bdf));
  }

  #newPortOn(bus: ControllerIndex, model?: Port['model']): Port {
    const address = { bus, slot: this.#allocator.slot(bus), function: 0 };
    return newPort(this.#allocator, { address, alias: portAlias, ...(model && { model }) });
  }
}
