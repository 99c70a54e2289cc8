import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex, GuestAddress } from '../domain/address.js';
import { expanderBusAlias, portAlias, rootPortAlias, switchAlias } from '../domain/alias.js';
import type { PciController } from '../domain/controller.js';
import type { GuestDevice, HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { reserveOf } from '../domain/overrides.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Port, Renumbered } from '../generated/plan.js';
import { Allocator } from './allocate.js';
import type { RootDemand } from './bus-numbers.js';
import {
  assignPorts,
  type MirroredSwitch,
  type PortAssignment,
  type SwitchOf,
  unmirroredDiagnostics,
} from './mirror.js';
import type { ExpanderBusRequest } from './requests.js';
import type { SlotMove, SlotMoves } from './slots.js';
import { awaitingDevices, type SparePort, spareExposure } from './spare-ports.js';

/** An expander bus with everything but its bus number. */
export interface ExpanderBusLayout {
  readonly draft: ExpanderBusRequest;
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

/** Every controller that is to be added, with its index, slot and chassis, and every address that changes. */
export interface Layout {
  readonly expanderBuses: readonly ExpanderBusLayout[];
  readonly rootPorts: readonly Port[];
  readonly addresses: ReadonlyMap<HostDevice, NewAddress>;
  /** Emulated devices that come back to `pcie.0` from behind a vSMMU. */
  readonly returned: readonly Renumbered[];
  readonly rootDemand: RootDemand;
  readonly diagnostics: readonly Diagnostic[];
}

/** What lay-out needs to know. */
export interface LayoutRequest {
  readonly domain: Domain;
  readonly tree: PciTree;
  readonly drafts: readonly ExpanderBusRequest[];
  readonly moves: SlotMoves['moves'];
  readonly emulated: SlotMoves['emulated'];
  readonly leaving: SlotMoves['leaving'];
  /** Whether `pcie.0` gets free ports that libvirt takes before those behind vSMMUs. */
  readonly guarded: boolean;
  /** Whether an expander bus is to have a vSMMU. */
  readonly isActive: (draft: ExpanderBusRequest) => boolean;
  /** Spare ports that an expander bus with a vSMMU is to have. */
  readonly sparePorts: number;
  readonly switchOf: SwitchOf;
  /** Bytes that a spare port is to reserve. */
  readonly spareMemory: number;
  /** Expander buses with an accelerated vSMMU that no draft is for. */
  readonly translated: readonly ControllerIndex[];
}

/** Gives each expander bus its ports and each moving slot its port, with controller indexes after all others (rules "Ports" and "Indexes and slots"). */
export function layOut(request: LayoutRequest): Layout {
  return new LayoutBuilder(request).build();
}

class LayoutBuilder {
  readonly #request: LayoutRequest;
  readonly #allocator: Allocator;
  readonly #addresses = new Map<HostDevice, NewAddress>();
  readonly #returned: Renumbered[] = [];
  readonly #assignments: ReadonlyMap<ExpanderBusRequest, PortAssignment>;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(request: LayoutRequest) {
    this.#request = request;
    this.#allocator = new Allocator(request.domain, request.tree);
    const { drafts, tree, switchOf } = request;
    this.#assignments = new Map(drafts.map((draft) => [draft, assignPorts(draft, tree, switchOf)]));
  }

  /** How what joins an expander bus hangs there: on ports of the expander bus where nothing says otherwise. */
  #assignment(draft: ExpanderBusRequest): PortAssignment {
    const { joining: singles, freePorts } = draft;
    return this.#assignments.get(draft) ?? { newPorts: 0, newDevicePorts: 0, singles, freePorts, switches: [] };
  }

  /** Spare ports that an expander bus lacks, as far as it has room for them. */
  #lackingSpare(draft: ExpanderBusRequest): number {
    if (!this.#request.isActive(draft)) return 0;
    const { singles, freePorts, newPorts } = this.#assignment(draft);
    const lacking = Math.max(0, this.#request.sparePorts - Math.max(0, freePorts.length - singles.length));
    const room = Math.max(0, draft.room - newPorts);
    if (lacking > room) {
      const which = draft.existing ? `expander bus ${draft.existing.controller.index}` : 'the expander bus';
      const message = `${which} of ${draft.smmu} has room for ${room} more spare ports, not ${lacking}`;
      this.#diagnostics.push(
        diagnostic('spare-ports-left-out', message, { location: draft.existing?.controller.location }),
      );
    }
    return Math.min(lacking, room);
  }

  build(): Layout {
    const { tree, drafts } = this.#request;
    const spare = drafts.map((draft) => this.#lackingSpare(draft));
    const rootPorts = this.#layOutRoot(spare.reduce((sum, count) => sum + count, 0));
    const expanderBuses = drafts.map((draft, i) => {
      const { singles, freePorts } = this.#assignment(draft);
      return this.#layOutExpanderBus(draft, Math.max(0, singles.length - freePorts.length) + (spare[i] ?? 0));
    });
    const unused = this.#unusedRootPorts();
    const returned = new Set(this.#returned.map(({ to }) => to.bus));
    const guards = [
      ...unused.map(({ index }) => index),
      ...emptyPorts(rootPorts).filter((port) => !returned.has(port)),
    ];
    const awaiting = awaitingDevices(this.#request.domain, this.#request.leaving);
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
    };
  }

  /** What comes back to `pcie.0`: host devices and emulated ones, by slot. */
  get #returning(): readonly SlotMove[] {
    return this.#request.moves.filter((move) => move.smmu === undefined);
  }

  /** The free ports of `pcie.0` that nothing comes back to, by index. */
  #unusedRootPorts(): readonly PciController[] {
    const { tree, leaving, emulated } = this.#request;
    return tree.freePorts(ROOT_BUS, leaving).slice(this.#returning.length + emulated.length);
  }

  /**
   * Adds ports to `pcie.0`: for devices that come back from behind a vSMMU, and as guards. libvirt 12.8 gives a device without
   * an address the free port with the lowest index, and a port behind a vSMMU becomes free when its device is detached. So
   * there is a free port with a lower index for each port behind a vSMMU, beside those for devices that await an address.
   * `<target hotplug='off'/>` on the ports behind vSMMUs does not do: libvirt 12.8 gives such a port to a device that is
   * attached with --config all the same, and a device on it cannot be detached live.
   */
  #layOutRoot(newSpare: number): Port[] {
    const { tree, drafts, domain, leaving, guarded, emulated } = this.#request;
    const returning = this.#returning;
    const free = tree.freePorts(ROOT_BUS, leaving);
    const forReturning = Math.max(0, returning.length + emulated.length - free.length);
    const added = newSpare + drafts.reduce((sum, draft) => sum + this.#assignment(draft).newDevicePorts, 0);
    const wanted = added + this.#portsBehind() + awaitingDevices(domain, leaving);
    const guards = guarded && added > 0 ? Math.max(0, wanted - this.#unusedRootPorts().length) : 0;

    const places = this.#allocator.packedRootSlots(forReturning + guards);
    const ports = places.map(({ address, multifunction }) => this.#newPort(address, multifunction, rootPortAlias));
    const targets = [...free.map((c) => c.index), ...ports.map((p) => p.controllerIndex)];
    const byIndex = new Map(ports.map((p) => [p.controllerIndex, p]));
    for (const [i, move] of returning.entries()) {
      const index = targets[i];
      if (index === undefined) continue;
      this.#settle(move, index);
      byIndex.get(index)?.devices.push(...move.functions.map((f) => f.device.bdf));
    }
    for (const [i, devices] of emulated.entries()) {
      const bus = targets[returning.length + i];
      if (bus !== undefined) this.#returned.push(...returnTo(bus, devices));
    }
    return ports;
  }

  /** Ports that are behind an accelerated vSMMU already. */
  #portsBehind(): number {
    const { drafts, isActive, tree, translated } = this.#request;
    const buses = drafts.filter(isActive).flatMap(({ existing }) => existing?.controller.index ?? []);
    return [...buses, ...translated].flatMap((bus) => tree.ports(bus)).length;
  }

  /** Ports behind accelerated vSMMUs that will have nothing behind them. */
  #sparePorts(expanderBuses: readonly ExpanderBusLayout[]): readonly SparePort[] {
    const { isActive, tree, translated, leaving } = this.#request;
    const ofExpanderBuses = expanderBuses
      .filter(({ draft }) => isActive(draft))
      .flatMap(({ draft, ports }) =>
        emptyPorts(ports)
          .filter((index) => !tree.controller(index) || draft.freePorts.some((port) => port.index === index))
          .map((index) => ({ index, location: tree.controller(index)?.location })),
      );
    return [...ofExpanderBuses, ...translated.flatMap((bus) => tree.freePorts(bus, leaving))];
  }

  #layOutExpanderBus(draft: ExpanderBusRequest, newPorts: number): ExpanderBusLayout {
    const { tree } = this.#request;
    const { existing, smmu } = draft;
    const assignment = this.#assignment(draft);
    const { singles, freePorts, switches } = assignment;
    const controllerIndex = existing?.controller.index ?? this.#allocator.index();
    const address = existing
      ? (existing.controller.address ?? null)
      : { bus: ROOT_BUS, slot: this.#allocator.slot(ROOT_BUS), function: 0 };
    const below = existing ? tree.busesBelow(controllerIndex).filter((c) => /port$/.test(c.model)) : [];
    const kept = below.map((c) => this.#keptPort(c, draft));
    const added: Port[] = [];
    for (let i = 0; i < newPorts; i++) {
      const slot = this.#allocator.slot(controllerIndex);
      added.push(this.#newPort({ bus: controllerIndex, slot, function: 0 }, false, portAlias));
    }
    const byIndex = new Map([...kept, ...added].map((port) => [port.controllerIndex, port]));
    const targets = [...freePorts.map((c) => c.index), ...added.map((p) => p.controllerIndex)];
    for (const [i, move] of singles.entries()) {
      const index = targets[i];
      if (index === undefined) continue;
      this.#settle(move, index);
      byIndex.get(index)?.devices.push(...move.functions.map((f) => f.device.bdf));
    }
    for (const each of switches) {
      for (const port of this.#layOutSwitch(controllerIndex, each, byIndex)) byIndex.set(port.controllerIndex, port);
    }
    this.#diagnostics.push(...unmirroredDiagnostics(draft, assignment, tree, this.#request.switchOf));
    const alias = existing ? (existing.controller.alias ?? null) : expanderBusAlias(smmu, controllerIndex);
    const ports = [...byIndex.values()];
    const occupied = busesWithPorts(ports);
    return {
      draft,
      controllerIndex,
      address,
      alias,
      ports: ports.map((port) => this.#reserve(port, draft, occupied)),
    };
  }

  /** Memory for what is plugged in: on ports without a device, and on those that have some already. */
  #reserve(port: Port, draft: ExpanderBusRequest, occupied: ReadonlySet<ControllerIndex>): Port {
    const { domain, isActive, spareMemory } = this.#request;
    const { alias, devices: behind, kept, controllerIndex } = port;
    const empty =
      behind.length === 0 &&
      !occupied.has(controllerIndex) &&
      (!kept || draft.freePorts.some((c) => c.index === controllerIndex));
    // Without an alias of its own a port has no name that an override could call it by.
    const named = alias?.startsWith('ua-') && empty && isActive(draft);
    return { ...port, reserve: Math.max(reserveOf(domain.overrides, alias), named ? spareMemory : 0) };
  }

  /** The new ports of a switch, each move on a downstream port: a free one of those that are there, or a new one. */
  #layOutSwitch(
    expanderBus: ControllerIndex,
    { upstream: present, freePorts, moves }: MirroredSwitch,
    there: ReadonlyMap<ControllerIndex, Port>,
  ): readonly Port[] {
    const own: Port[] = [];
    if (!present) {
      const root = this.#newPort(
        { bus: expanderBus, slot: this.#allocator.slot(expanderBus), function: 0 },
        false,
        portAlias,
      );
      const address = { bus: root.controllerIndex, slot: 0, function: 0 };
      own.push(root, this.#newPort(address, false, switchAlias, 'pcie-switch-upstream-port'));
    }
    const upstream = present?.index ?? own.at(-1)?.controllerIndex ?? expanderBus;
    const added = moves.flatMap((move, i) => {
      const free = freePorts[i] && there.get(freePorts[i].index);
      const address = { bus: upstream, slot: free ? 0 : this.#allocator.slot(upstream), function: 0 };
      const port = free ?? this.#newPort(address, false, portAlias, 'pcie-switch-downstream-port');
      this.#settle(move, port.controllerIndex);
      port.devices.push(...move.functions.map((f) => f.device.bdf));
      return free ? [] : [port];
    });
    return [...own, ...added];
  }

  #settle(move: SlotMove, port: ControllerIndex): void {
    for (const { device, function: func, multifunction } of move.functions) {
      this.#addresses.set(device, { address: { bus: port, slot: 0, function: func }, multifunction });
    }
  }

  #newPort(
    address: GuestAddress,
    multifunction: boolean,
    alias: (index: ControllerIndex) => string,
    model: Port['model'] = 'pcie-root-port',
  ): Port {
    const controllerIndex = this.#allocator.index();
    return {
      controllerIndex,
      model,
      address,
      chassis: model === 'pcie-switch-upstream-port' ? null : this.#allocator.chassis(controllerIndex),
      multifunction,
      alias: alias(controllerIndex),
      kept: false,
      devices: [],
      reserve: 0,
    };
  }

  #keptPort(controller: PciController, draft: ExpanderBusRequest): Port {
    return {
      controllerIndex: controller.index,
      model: controller.model as Port['model'],
      address: controller.address ?? { bus: ROOT_BUS, slot: 0, function: 0 },
      chassis: controller.chassis ?? controller.index,
      multifunction: controller.multifunction,
      alias: controller.alias ?? null,
      kept: true,
      devices: draft.inPlace.filter((d) => d.address?.bus === controller.index).map((d) => d.bdf),
      reserve: 0,
    };
  }
}

/** The ports of a list with nothing behind them, neither a device nor another port. */
function emptyPorts(ports: readonly Port[]): readonly ControllerIndex[] {
  const occupied = busesWithPorts(ports);
  return ports
    .filter(({ devices, controllerIndex: index }) => devices.length === 0 && !occupied.has(index))
    .filter(({ model }) => model !== 'pcie-switch-upstream-port')
    .map(({ controllerIndex }) => controllerIndex);
}

/** The buses that ports of a list are on. */
function busesWithPorts(ports: readonly Port[]): ReadonlySet<ControllerIndex> {
  return new Set(ports.map(({ address }) => address.bus));
}

/** The new addresses of emulated devices of one slot, on a port of `pcie.0`. */
function returnTo(bus: ControllerIndex, devices: readonly GuestDevice[]): Renumbered[] {
  return devices.flatMap(({ address: from }, i) => {
    if (!from) return [];
    const to = { bus, slot: 0, function: i === 0 ? 0 : from.function };
    return [{ from, to, multifunction: i === 0 && devices.length > 1 }];
  });
}
