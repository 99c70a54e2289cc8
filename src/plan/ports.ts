import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { sparePortsLeftOut } from '../diagnostics/expander-buses.js';
import { type ControllerIndex, formatGuestAddress, type GuestAddress, type Place } from '../domain/address.js';
import { expanderBusAlias, portAlias, rootPortAlias, switchAlias } from '../domain/alias.js';
import { type GuestDevice, type HostDevice, isHostDevice } from '../domain/device.js';
import { awaitingDevices, type SparePort, sparePortDiagnostics } from '../domain/free-ports.js';
import { reserveOf } from '../domain/overrides.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import type { Port } from '../generated/plan.js';
import { groupBy } from '../group-by.js';
import { Allocator } from './allocate.js';
import type { RootDemand } from './bus-numbers.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import {
  assignPorts,
  type BusPorts,
  type MirroredSwitch,
  type PortAssignment,
  type SwitchOf,
  switchOnHost,
  unmirroredDiagnostics,
} from './mirror.js';
import { keptPort, newPort, sparePortsOf, withReserves } from './port.js';
import type { CurrentExpanderBus, SlotMove, SlotMoves } from './slots.js';
import { changesOf, type PlanContext, type StageResult } from './stage.js';

/** An expander bus with all its properties except its bus numbers. */
export interface ExpanderBusLayout extends ExpanderBusRequest {
  readonly controllerIndex: ControllerIndex;
  readonly address: GuestAddress | null;
  readonly alias: string | null;
  readonly ports: readonly Port[];
}

/** Every controller to add, with its index, slot and chassis, and every device that moves. */
export interface PortPlan extends StageResult {
  readonly expanderBuses: readonly ExpanderBusLayout[];
  readonly rootPorts: readonly Port[];
  readonly places: ReadonlyMap<GuestDevice, Place>;
  readonly rootDemand: RootDemand;
}

/** The devices and expander buses that need ports. */
export interface PortDemand {
  readonly slots: SlotMoves;
  readonly requests: readonly ExpanderBusRequest[];
  /** Expander buses with an accelerated vSMMU that stay as they are. */
  readonly others: readonly CurrentExpanderBus[];
}

/** An expander bus, the ports that it gets and the number of spare ports to add. */
interface BusWithSpare extends BusPorts {
  readonly spare: number;
}

/**
 * Assigns ports to each expander bus and to each moving slot. New controller indexes follow all others (rules
 * "Ports" and "Indexes and slots").
 */
export class PortPlanner {
  readonly #context: PlanContext;
  readonly #demand: PortDemand;
  readonly #allocator: Allocator;
  readonly #switchOf: SwitchOf;
  readonly #buses: readonly BusWithSpare[];
  /** How many devices libvirt will choose an address for. */
  readonly #awaiting: number;
  readonly #places = new Map<GuestDevice, Place>();
  /** The host devices on each port. */
  readonly #devicesOn: Map<ControllerIndex, HostDevice[]>;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(context: PlanContext, demand: PortDemand) {
    this.#context = context;
    this.#demand = demand;
    this.#allocator = new Allocator(context.domain, context.tree);
    this.#switchOf = switchOnHost(context);
    this.#awaiting = awaitingDevices(context.domain, demand.slots.leaving);
    const inPlace = demand.requests.flatMap((request) => request.inPlace);
    this.#devicesOn = groupBy(inPlace, ({ address }) => address?.bus ?? null);
    this.#buses = demand.requests.map((request) => {
      const assignment = assignPorts(request, context.tree, this.#switchOf);
      const { spare, diagnostics } = missingSparePorts(request, assignment, context.policy);
      this.#diagnostics.push(...diagnostics);
      return { request, assignment, spare };
    });
  }

  /** @param guarded whether `pcie.0` gets free ports that libvirt uses before those behind vSMMUs */
  plan(guarded: boolean): PortPlan {
    const { tree } = this.#context;
    const { rootPorts, guards } = this.#planRoot(guarded);
    const expanderBuses = this.#buses.map((bus) => this.#planExpanderBus(bus));
    const spare = this.#sparePorts(expanderBuses);
    this.#diagnostics.push(...unmirroredDiagnostics(this.#buses, this.#context));
    this.#diagnostics.push(...sparePortDiagnostics({ spare, guards, awaiting: this.#awaiting }));
    return {
      expanderBuses,
      rootPorts,
      places: this.#places,
      rootDemand: {
        buses: tree.busesBelow(ROOT_BUS).length + rootPorts.length,
        addedByLibvirt: Math.max(0, this.#awaiting - guards.length) + tree.gaps,
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
      ...changesOf('set', 'guest', this.#places.values(), ({ address }) => formatGuestAddress(address)),
    ];
  }

  /**
   * Adds ports to `pcie.0`: for devices that return from behind a vSMMU, and as guards. libvirt 12.8 gives a device without an
   * address the free port with the lowest index, and a port behind a vSMMU becomes free when its device is detached. So each
   * port behind a vSMMU has a guard: a free port of `pcie.0` with a lower index, in addition to the ports for devices that wait
   * for an address. `<target hotplug='off'/>` on the ports behind vSMMUs does not help: libvirt 12.8 still gives such a port to
   * a device that is attached with --config, and a device on it cannot be detached from the running guest.
   */
  #planRoot(guarded: boolean): { readonly rootPorts: readonly Port[]; readonly guards: readonly ControllerIndex[] } {
    const { leaving, returning } = this.#demand.slots;
    const free = this.#context.tree.freePorts(ROOT_BUS, leaving).map(({ index }) => index);
    const added = this.#buses.reduce((sum, { spare, assignment }) => sum + spare + assignment.newDevicePorts, 0);
    const guards = guarded && added > 0 ? added + this.#portsBehind() + this.#awaiting : 0;
    const unused = free.length - returning.length;
    const missing = Math.max(0, -unused) + Math.max(0, guards - Math.max(0, unused));
    const rootPorts = this.#allocator
      .packedRootSlots(missing)
      .map((place) => newPort(this.#allocator, place, rootPortAlias));
    const targets = [...free, ...rootPorts.map(({ controllerIndex }) => controllerIndex)];
    for (const move of returning) this.#putOnPort(move, targets.shift());
    return { rootPorts: rootPorts.map((port) => this.#withDevices(port)), guards: targets };
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

  #planExpanderBus({ request, assignment, spare }: BusWithSpare): ExpanderBusLayout {
    const { tree } = this.#context;
    const { smmu, existing } = request;
    const { directMoves, freePorts, switches } = assignment;
    const present = existing?.controller;
    const controllerIndex = present?.index ?? this.#allocator.allocateIndex();
    const address = present
      ? (present.address ?? null)
      : { bus: ROOT_BUS, slot: this.#allocator.allocateSlot(ROOT_BUS), function: 0 };
    const needed = Math.max(0, directMoves.length - freePorts.length) + spare;
    const added = Array.from({ length: needed }, () => this.#newPortOn(controllerIndex));
    const targets = [...freePorts.map(({ index }) => index), ...added.map((port) => port.controllerIndex)];
    for (const move of directMoves) this.#putOnPort(move, targets.shift());
    const kept = present ? tree.busesBelow(controllerIndex).flatMap(keptPort) : [];
    const all = [...kept, ...added, ...switches.flatMap((each) => this.#planSwitch(controllerIndex, each))];
    const alias = present ? (present.alias ?? null) : expanderBusAlias(smmu, controllerIndex);
    const occupied = all.map((port) => this.#withDevices(port));
    return { ...request, controllerIndex, address, alias, ports: withReserves(occupied, request, this.#context) };
  }

  /** Returns the new ports of a switch. Each move gets a downstream port: a free existing one, or a new one. */
  #planSwitch(expanderBus: ControllerIndex, { upstream, freePorts, moves }: MirroredSwitch): readonly Port[] {
    const own: Port[] = [];
    if (!upstream) {
      const root = this.#newPortOn(expanderBus);
      const place = { address: { bus: root.controllerIndex, slot: 0, function: 0 }, multifunction: false };
      own.push(root, newPort(this.#allocator, place, switchAlias, 'pcie-switch-upstream-port'));
    }
    const bus = upstream?.index ?? own.at(-1)?.controllerIndex ?? expanderBus;
    const targets = freePorts.map(({ index }) => index);
    for (const move of moves) {
      const free = targets.shift();
      if (free === undefined) own.push(this.#newPortOn(bus, 'pcie-switch-downstream-port'));
      this.#putOnPort(move, free ?? own.at(-1)?.controllerIndex);
    }
    return own;
  }

  /** Puts the devices of a slot on a port. */
  #putOnPort({ functions }: SlotMove<GuestDevice>, bus: ControllerIndex | undefined): void {
    if (bus === undefined) return;
    for (const { device, function: func, multifunction } of functions) {
      this.#places.set(device, { address: { bus, slot: 0, function: func }, multifunction });
    }
    const own = functions.map(({ device }) => device).filter(isHostDevice);
    this.#devicesOn.set(bus, [...(this.#devicesOn.get(bus) ?? []), ...own]);
  }

  #withDevices(port: Port): Port {
    return { ...port, devices: this.#devicesOn.get(port.controllerIndex)?.map(({ bdf }) => bdf) ?? [] };
  }

  #newPortOn(bus: ControllerIndex, model?: Port['model']): Port {
    const address = { bus, slot: this.#allocator.allocateSlot(bus), function: 0 };
    return newPort(this.#allocator, { address, multifunction: false }, portAlias, model);
  }
}

/** Returns how many spare ports to add to an expander bus with a vSMMU: those it lacks, as far as it has room. */
function missingSparePorts(
  { vsmmu, room, existing, smmu }: ExpanderBusRequest,
  { directMoves, freePorts, newPorts }: PortAssignment,
  { sparePorts }: PlanContext['policy'],
): { readonly spare: number; readonly diagnostics: readonly Diagnostic[] } {
  if (!vsmmu) return { spare: 0, diagnostics: [] };
  const lacking = Math.max(0, sparePorts - Math.max(0, freePorts.length - directMoves.length));
  const left = Math.max(0, room - newPorts);
  if (lacking <= left) return { spare: lacking, diagnostics: [] };
  const present = existing?.controller;
  const { index: expanderBus, location } = present ?? {};
  return { spare: left, diagnostics: [sparePortsLeftOut({ expanderBus, smmu, room: left, lacking, location })] };
}
