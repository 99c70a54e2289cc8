import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { switchNotMirrored } from '../diagnostics/expander-buses.js';
import { type Bdf, compareBdf } from '../domain/address.js';
import { MAX_SLOT, type PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { PciTree } from '../domain/pci-tree.js';
import { groupBy } from '../group-by.js';
import type { Host } from '../host/host.js';
import { type LocalKind, localKind } from '../host/locality.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import type { SlotMove } from './slots.js';
import type { PlanContext } from './stage.js';

/** The number of slots of an upstream port, each with one downstream port. */
const MAX_DOWNSTREAM = MAX_SLOT + 1;

/** The number of ports that a new switch needs besides its downstream ports: a root port, and the upstream port on it. */
const SWITCH_PORTS = 2;

/** The kinds of devices that exchange data with others directly: GPUDirect RDMA and Storage, Data Direct. */
const PEERS: ReadonlySet<LocalKind | undefined> = new Set<LocalKind>(['GPU', 'ACC']);

/** Returns the upstream port of the host switch above a device; undefined if there is none or it is not mirrored. */
export type SwitchOf = (device: HostDevice) => string | undefined;

/** Returns a function that finds the host switch of a device if policy wants switches mirrored. */
export function switchOnHost({ host, policy }: PlanContext): SwitchOf {
  return policy.mirrorSwitches ? ({ bdf }) => switchAboveOnHost(bdf, host) : () => undefined;
}

/** Returns the upstream port of the host switch above a device. A root port alone is not a switch. */
function switchAboveOnHost(bdf: Bdf, host: Host): Bdf | undefined {
  const device = host.device(bdf);
  const [downstream, upstream, root] = device ? host.bridgesAbove(device) : [];
  return downstream && root && upstream?.bdf;
}

/** A switch in the guest, and the slots that it gets. */
export interface MirroredSwitch {
  /** The upstream port on the host that it mirrors. */
  readonly host: string;
  /** Its upstream port in the domain; undefined for a new switch. */
  readonly upstream: PciController | undefined;
  /** Its downstream ports with nothing behind them, by index. They are used first. */
  readonly freePorts: readonly PciController[];
  /** Slots that need one downstream port each, in host order. */
  readonly moves: readonly SlotMove[];
}

/** The ports for the slots that join an expander bus. */
export interface PortAssignment {
  /** The number of new ports, including the root port and upstream port of each new switch. */
  readonly newPorts: number;
  /** How many of the new ports are for devices. */
  readonly newDevicePorts: number;
  /** Slots that get a port directly on the expander bus, in host order. */
  readonly directMoves: readonly SlotMove[];
  /** The free ports for `directMoves`: those that are on no switch. */
  readonly freePorts: readonly PciController[];
  readonly switches: readonly MirroredSwitch[];
}

/**
 * Assigns a port to each slot that joins an expander bus. A slot gets a port of the guest switch that mirrors its host switch; a
 * new switch is added only for two or more slots. If an existing expander bus has too few bus numbers for that, only free ports
 * of existing switches are used, and the other slots get ports of the expander bus.
 */
export function assignPorts(request: ExpanderBusRequest, tree: PciTree, switchOf: SwitchOf): PortAssignment {
  const mirrored = assign(request, tree, switchOf, true);
  if (!request.existing || mirrored.newPorts <= request.room) return mirrored;
  return assign(request, tree, switchOf, false);
}

/** @param addsPorts whether switches may be added and may get new downstream ports */
function assign(request: ExpanderBusRequest, tree: PciTree, switchOf: SwitchOf, addsPorts: boolean): PortAssignment {
  const { joining, freePorts } = request;
  const switchOfMove = ({ functions: [first] }: SlotMove) => first && switchOf(first.device);
  const directMoves: SlotMove[] = [];
  const switches: MirroredSwitch[] = [];
  for (const [host, moves] of groupBy([...joining].sort(compareMoves), switchOfMove)) {
    const upstream = host === undefined ? undefined : mirrorOf(host, request, tree, switchOf);
    const free = upstream ? freePorts.filter(({ address }) => address?.bus === upstream.index) : [];
    const space = upstream ? MAX_DOWNSTREAM - tree.takenSlots(upstream.index).size + free.length : MAX_DOWNSTREAM;
    const taken = !addsPorts ? free.length : moves.length <= space ? moves.length : 0;
    // A switch has no benefit for a single device.
    const isSwitch = host !== undefined && taken > 0 && (upstream !== undefined || moves.length > 1);
    if (isSwitch) switches.push({ host, upstream, freePorts: free.slice(0, taken), moves: moves.slice(0, taken) });
    directMoves.push(...moves.slice(isSwitch ? taken : 0));
  }
  const claimed = new Set(switches.flatMap((each) => each.freePorts));
  const left = freePorts.filter((port) => !claimed.has(port));
  const downstream = switches.reduce((sum, each) => sum + each.moves.length - each.freePorts.length, 0);
  const newDevicePorts = Math.max(0, directMoves.length - left.length) + downstream;
  return {
    newPorts: newDevicePorts + SWITCH_PORTS * switches.filter(({ upstream }) => !upstream).length,
    newDevicePorts,
    directMoves: directMoves.sort(compareMoves),
    freePorts: left,
    switches,
  };
}

/** Returns the guest switch on an expander bus that has only devices of this host switch behind it. */
function mirrorOf(
  host: string,
  { inPlace }: ExpanderBusRequest,
  tree: PciTree,
  switchOf: SwitchOf,
): PciController | undefined {
  const below = groupBy(inPlace, (device) => switchAbove(device, tree) ?? null);
  return [...below].find(([, devices]) => devices.every((device) => switchOf(device) === host))?.[0];
}

/** Returns the upstream port of the guest switch above a device. */
function switchAbove({ address }: HostDevice, tree: PciTree): PciController | undefined {
  const bus = address && tree.controller(address.bus)?.address?.bus;
  const above = bus === undefined ? undefined : tree.controller(bus);
  return above?.model === 'pcie-switch-upstream-port' ? above : undefined;
}

/** An expander bus and the ports that it gets. */
export interface BusPorts {
  readonly request: ExpanderBusRequest;
  readonly assignment: PortAssignment;
}

/**
 * Reports placed devices that share a switch on the host but not in the guest. If policy does not ask for switches, it reports
 * only switches with a GPU or another accelerator, and below them only the kinds of devices that use peer-to-peer DMA.
 */
export function unmirroredDiagnostics(
  buses: readonly BusPorts[],
  { host, tree, policy }: PlanContext,
): readonly Diagnostic[] {
  const moved = ({ functions }: SlotMove, below: unknown) => functions.map(({ device }) => ({ device, below }));
  const placed = buses.flatMap(({ request, assignment: { directMoves, switches } }) => [
    ...request.inPlace.map((device) => ({ device, below: switchAbove(device, tree) ?? device.address?.bus })),
    ...directMoves.flatMap((move) => moved(move, move)),
    ...switches.flatMap(({ upstream, moves, host }) => moves.flatMap((move) => moved(move, upstream ?? host))),
  ]);
  const kindOf = ({ bdf }: HostDevice) => {
    const device = host.device(bdf);
    return device && localKind(device);
  };
  const bySwitch = groupBy(placed, ({ device }) => {
    const matters = policy.mirrorSwitches || kindOf(device) !== undefined;
    return (matters && switchAboveOnHost(device.bdf, host)) || null;
  });
  const fixed = new Set(buses.flatMap(({ request }) => (request.existing ? request.devices : [])));
  return [...bySwitch].flatMap(([above, members]) => {
    const devices = members.map(({ device }) => device);
    if (new Set(members.map(({ below }) => below)).size < 2) return [];
    if (!policy.mirrorSwitches && !devices.some((device) => PEERS.has(kindOf(device)))) return [];
    const options = [
      ...(policy.grouping === 'device' ? ['--grouping smmu'] : []),
      ...(policy.mirrorSwitches ? [] : ['--mirror-switches']),
      ...(devices.some((device) => fixed.has(device)) ? ['--relayout'] : []),
    ];
    return [
      switchNotMirrored({
        devices: devices.map(({ bdf }) => bdf).sort(compareBdf),
        switch: above,
        limit: devices.length > MAX_DOWNSTREAM ? MAX_DOWNSTREAM : undefined,
        options,
        location: devices[0]?.location,
        severity: policy.mirrorSwitches ? undefined : 'warning',
      }),
    ];
  });
}

/** Compares host addresses, so that ports are in the order of the devices on the host. */
function compareMoves(a: SlotMove, b: SlotMove): number {
  const [x, y] = [a.functions[0]?.device.bdf, b.functions[0]?.device.bdf];
  return x && y ? compareBdf(x, y) : 0;
}
