import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex, GuestAddress } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { reserveOf } from '../domain/overrides.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Port } from '../generated/plan.js';
import { bridgeAlias, portAlias, rootPortAlias, switchAlias } from './alias.js';
import { Allocator } from './allocate.js';
import type { RootDemand } from './bus-numbers.js';
import { type BridgeDraft, lackingPorts } from './drafts.js';
import { type Hanging, hangSlots, type MirroredSwitch, type SwitchOf, tellUnmirrored } from './mirror.js';
import { leavingDevices, type SlotMove } from './slots.js';
import { awaitingDevices, countDevices, spareExposure } from './spare-ports.js';

/** A bridge with everything but its bus number. */
export interface BridgeLayout {
  readonly draft: BridgeDraft;
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
  readonly bridges: readonly BridgeLayout[];
  readonly rootPorts: readonly Port[];
  readonly addresses: ReadonlyMap<HostDevice, NewAddress>;
  readonly rootDemand: RootDemand;
  readonly diagnostics: readonly Diagnostic[];
}

/** What lay-out needs to know. */
export interface LayoutRequest {
  readonly domain: Domain;
  readonly tree: PciTree;
  readonly drafts: readonly BridgeDraft[];
  readonly moves: readonly SlotMove[];
  /** Whether a bridge is to have a vSMMU. */
  readonly isActive: (draft: BridgeDraft) => boolean;
  /** Spare ports that a bridge with a vSMMU is to have. */
  readonly sparePorts: number;
  readonly switchOf: SwitchOf;
  /** Bytes that a spare port is to reserve. */
  readonly spareMemory: number;
  /** Expander buses with an accelerated vSMMU that no draft is for. */
  readonly translated: readonly ControllerIndex[];
}

/** Gives each bridge its ports and each moving slot its port, with controller indexes after all others (rules 6 and 7). */
export function layOut(request: LayoutRequest): Layout {
  return new LayoutBuilder(request).build();
}

class LayoutBuilder {
  readonly #request: LayoutRequest;
  readonly #allocator: Allocator;
  readonly #addresses = new Map<HostDevice, NewAddress>();
  readonly #leaving: ReadonlySet<HostDevice>;
  readonly #hangings: ReadonlyMap<BridgeDraft, Hanging>;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(request: LayoutRequest) {
    this.#request = request;
    this.#leaving = leavingDevices(request.moves);
    this.#allocator = new Allocator(request.domain, request.tree);
    const { drafts, tree, switchOf } = request;
    this.#hangings = new Map(drafts.map((draft) => [draft, hangSlots(draft, tree, switchOf, this.#sparePorts(draft))]));
  }

  /** Spare ports that a bridge is to have. */
  #sparePorts(draft: BridgeDraft): number {
    return this.#request.isActive(draft) ? this.#request.sparePorts : 0;
  }

  /** How what joins a bridge hangs there: on ports of the bridge where nothing says otherwise. */
  #hanging(draft: BridgeDraft): Hanging {
    return this.#hangings.get(draft) ?? { singles: draft.joining, freePorts: draft.freePorts, switches: [] };
  }

  build(): Layout {
    const { tree, drafts } = this.#request;
    const lacking = drafts.map((draft) => {
      const { singles, freePorts } = this.#hanging(draft);
      return lackingPorts({ joining: singles, freePorts }, this.#sparePorts(draft));
    });
    const newSpare = lacking.reduce((sum, { spare }) => sum + spare, 0);
    const rootPorts = this.#layOutRoot(newSpare);
    const bridges = drafts.map((draft, i) => {
      const { joining = 0, spare = 0 } = lacking[i] ?? {};
      return this.#layOutBridge(draft, joining + spare);
    });
    const awaiting = this.#awaiting();
    return {
      bridges,
      rootPorts,
      addresses: this.#addresses,
      rootDemand: { buses: tree.busesBelow(ROOT_BUS).length + rootPorts.length, libvirt: awaiting + tree.gaps },
      diagnostics: this.#diagnostics,
    };
  }

  /**
   * Ports of `pcie.0`: for devices that come back from a bridge, and one for each spare port of a bridge, so that a device
   * without an address finds them first (libvirt 12.8 gives it the free port with the lowest index).
   */
  #layOutRoot(newSpare: number): Port[] {
    const { tree, moves } = this.#request;
    const returning = moves.filter((move) => move.smmu === undefined);
    const free = tree.freePorts(ROOT_BUS, this.#leaving);
    const guards = free.slice(returning.length);
    const forReturning = Math.max(0, returning.length - free.length);
    const keptSpare = this.#keptSpare();
    const forSpare = newSpare > 0 ? Math.max(0, newSpare + keptSpare.length - guards.length) : 0;
    this.#checkSpare(newSpare, keptSpare, guards);

    const places = this.#allocator.packedRootSlots(forReturning + forSpare);
    const ports = places.map(({ address, multifunction }) => this.#newPort(address, multifunction, rootPortAlias));
    const targets = [...free.map((c) => c.index), ...ports.map((p) => p.controllerIndex)];
    const added = new Map(ports.map((p) => [p.controllerIndex, p]));
    for (const [i, move] of returning.entries()) {
      const index = targets[i];
      if (index === undefined) continue;
      this.#settle(move, index);
      added.get(index)?.devices.push(...move.functions.map((f) => f.device.bdf));
    }
    return ports;
  }

  #layOutBridge(draft: BridgeDraft, newPorts: number): BridgeLayout {
    const { tree } = this.#request;
    const { existing, smmu } = draft;
    const hanging = this.#hanging(draft);
    const { singles, freePorts, switches } = hanging;
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
    this.#diagnostics.push(...tellUnmirrored(draft, hanging, tree, this.#request.switchOf));
    const alias = existing ? (existing.controller.alias ?? null) : bridgeAlias(smmu, controllerIndex);
    return {
      draft,
      controllerIndex,
      address,
      alias,
      ports: [...byIndex.values()].map((port, _, all) => this.#reserve(port, draft, all)),
    };
  }

  /** Memory for what is plugged in: on ports without a device, and on those that have some already. */
  #reserve(port: Port, draft: BridgeDraft, all: readonly Port[]): Port {
    const { domain, isActive, spareMemory } = this.#request;
    const { alias, devices: behind, kept, controllerIndex } = port;
    const carries = all.some((other) => other.address.bus === controllerIndex);
    const empty =
      behind.length === 0 && !carries && (!kept || draft.freePorts.some((c) => c.index === controllerIndex));
    // Without an alias of its own a port has no name that an override could call it by.
    const named = alias?.startsWith('ua-') && empty && isActive(draft);
    return { ...port, reserve: Math.max(reserveOf(domain.overrides, alias), named ? spareMemory : 0) };
  }

  /** The new ports of a switch, each move on a downstream port: a free one of those that are there, or a new one. */
  #layOutSwitch(
    bridge: ControllerIndex,
    { upstream: present, freePorts, moves }: MirroredSwitch,
    there: ReadonlyMap<ControllerIndex, Port>,
  ): readonly Port[] {
    const own: Port[] = [];
    if (!present) {
      const root = this.#newPort({ bus: bridge, slot: this.#allocator.slot(bridge), function: 0 }, false, portAlias);
      const address = { bus: root.controllerIndex, slot: 0, function: 0 };
      own.push(root, this.#newPort(address, false, switchAlias, 'pcie-switch-upstream-port'));
    }
    const upstream = present?.index ?? own.at(-1)?.controllerIndex ?? bridge;
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

  #keptPort(controller: PciController, draft: BridgeDraft): Port {
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

  /** Ports behind vSMMUs that have nothing behind them, and will have nothing. */
  #keptSpare(): readonly PciController[] {
    const { drafts, isActive, tree, translated } = this.#request;
    const ofDrafts = drafts
      .filter(isActive)
      .flatMap((draft) => this.#hanging(draft).freePorts.slice(this.#hanging(draft).singles.length));
    return [...ofDrafts, ...translated.flatMap((bus) => tree.freePorts(bus, this.#leaving))];
  }

  /** libvirt 12.8 gives whatever has no address yet the free port with the lowest index, behind a vSMMU or not. */
  #checkSpare(newSpare: number, keptSpare: readonly PciController[], guards: readonly PciController[]): void {
    const awaiting = this.#awaiting();
    if (awaiting > 0 && newSpare > 0) {
      const message = `libvirt would give spare ports to what has no address yet (${countDevices(awaiting)})`;
      this.#diagnostics.push(diagnostic('spare-port-exposed', message));
    } else {
      this.#diagnostics.push(...spareExposure({ spare: keptSpare, guards, awaiting }));
    }
  }

  /** Root ports that libvirt will add, or free ones that it will take: one for each device without an address. */
  #awaiting(): number {
    return awaitingDevices(this.#request.domain, this.#leaving);
  }
}
