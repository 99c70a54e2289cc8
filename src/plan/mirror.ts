import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { switchNotMirrored } from '../diagnostics/expander-buses.js';
import { compareBdf } from '../domain/address.js';
import { MAX_SLOT, type PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { PciTree } from '../domain/pci-tree.js';
import { groupBy } from '../group-by.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import type { SlotMove } from './slots.js';
import type { PlanContext } from './stage.js';

/** A downstream port in each of the 32 slots of an upstream port. */
const MAX_DOWNSTREAM = MAX_SLOT + 1;

/** A root port and the upstream port on it, which a new switch takes beside its downstream ports. */
const OWN_PORTS = 2;

/** Returns the upstream port of the switch above a device on the host; undefined: none, or not to be mirrored. */
export type SwitchOf = (device: HostDevice) => string | undefined;

/** Finds the switch of a device on the host, if policy wants it mirrored; a port of a root complex alone is not a switch. */
export function switchOnHost({ host, policy }: PlanContext): SwitchOf {
  return ({ bdf }) => {
    const device = policy.mirrorSwitches ? host.device(bdf) : undefined;
    const [downstream, upstream, root] = device ? host.bridgesAbove(device) : [];
    return downstream && root && upstream?.bdf;
  };
}

/** A guest's switch, and what joins it. */
export interface MirroredSwitch {
  /** The upstream port that it mirrors. */
  readonly host: string;
  /** It as it is in the domain; undefined: a new one. */
  readonly upstream: PciController | undefined;
  /** Its downstream ports that have nothing behind them, by index: they are taken first. */
  readonly freePorts: readonly PciController[];
  /** Slots that need a downstream port each, in host order. */
  readonly moves: readonly SlotMove[];
}

/** The ports for the slots that join an expander bus. */
export interface PortAssignment {
  /** How many ports are new, those that a new switch hangs on among them. */
  readonly newPorts: number;
  /** How many of them are for devices. */
  readonly newDevicePorts: number;
  /** On a port of the expander bus each, in host order. */
  readonly singles: readonly SlotMove[];
  /** The free ports of the expander bus that are theirs. */
  readonly freePorts: readonly PciController[];
  readonly switches: readonly MirroredSwitch[];
}

/**
 * Assigns a port to each slot that joins an expander bus: below the guest's switch that mirrors the host's, one that is there or,
 * for several slots, a new one. If an existing expander bus has too few bus numbers for that, a slot without a free port on
 * its switch gets a port of the expander bus.
 */
export function assignPorts(request: ExpanderBusRequest, tree: PciTree, switchOf: SwitchOf): PortAssignment {
  const mirrored = arrange(request, tree, switchOf, true);
  if (!request.existing || mirrored.newPorts <= request.room) return mirrored;
  return arrange(request, tree, switchOf, false);
}

function arrange(request: ExpanderBusRequest, tree: PciTree, switchOf: SwitchOf, mayGrow: boolean): PortAssignment {
  const { joining, freePorts } = request;
  const switchOfMove = ({ functions: [first] }: SlotMove) => first && switchOf(first.device);
  const singles: SlotMove[] = [];
  const switches: MirroredSwitch[] = [];
  for (const [host, moves] of groupBy([...joining].sort(compareMoves), switchOfMove)) {
    const upstream = host === undefined ? undefined : mirrorOf(host, request, tree, switchOf);
    const free = upstream ? freePorts.filter(({ address }) => address?.bus === upstream.index) : [];
    const space = upstream ? MAX_DOWNSTREAM - tree.takenSlots(upstream.index).size + free.length : MAX_DOWNSTREAM;
    const taken = !mayGrow ? free.length : moves.length <= space ? moves.length : 0;
    // A single device gains nothing from a switch.
    const isSwitch = host !== undefined && taken > 0 && (upstream !== undefined || moves.length > 1);
    if (isSwitch) switches.push({ host, upstream, freePorts: free.slice(0, taken), moves: moves.slice(0, taken) });
    singles.push(...moves.slice(isSwitch ? taken : 0));
  }
  const claimed = new Set(switches.flatMap((each) => each.freePorts));
  const left = freePorts.filter((port) => !claimed.has(port));
  const downstream = switches.reduce((sum, each) => sum + each.moves.length - each.freePorts.length, 0);
  const newDevicePorts = Math.max(0, singles.length - left.length) + downstream;
  return {
    newPorts: newDevicePorts + OWN_PORTS * switches.filter(({ upstream }) => !upstream).length,
    newDevicePorts,
    singles: singles.sort(compareMoves),
    freePorts: left,
    switches,
  };
}

/** The guest's switch on an expander bus that has nothing behind it but devices of one switch of the host. */
function mirrorOf(
  host: string,
  { inPlace }: ExpanderBusRequest,
  tree: PciTree,
  switchOf: SwitchOf,
): PciController | undefined {
  const below = groupBy(inPlace, (device) => switchAbove(device, tree) ?? null);
  return [...below].find(([, devices]) => devices.every((device) => switchOf(device) === host))?.[0];
}

/** The upstream port of the guest's switch that a device is below. */
function switchAbove({ address }: HostDevice, tree: PciTree): PciController | undefined {
  const bus = address && tree.controller(address.bus)?.address?.bus;
  const above = bus === undefined ? undefined : tree.controller(bus);
  return above?.model === 'pcie-switch-upstream-port' ? above : undefined;
}

/** Reports devices of an expander bus that share a switch on the host and not in the guest. */
export function unmirroredDiagnostics(
  request: ExpanderBusRequest,
  { switches }: PortAssignment,
  tree: PciTree,
  switchOf: SwitchOf,
): readonly Diagnostic[] {
  const places = new Map<string, Map<HostDevice, unknown>>();
  const note = (device: HostDevice, location: unknown) => {
    const host = switchOf(device);
    if (host !== undefined) places.set(host, (places.get(host) ?? new Map()).set(device, location));
  };
  for (const device of request.inPlace) note(device, switchAbove(device, tree) ?? device.address?.bus);
  for (const { functions } of request.joining) for (const { device } of functions) note(device, functions);
  for (const { upstream, moves, host } of switches) {
    for (const { functions } of moves) for (const { device } of functions) note(device, upstream ?? host);
  }
  return [...places].flatMap(([host, devices]) => {
    if (new Set(devices.values()).size < 2) return [];
    const names = [...devices.keys()].map(({ bdf }) => bdf).sort(compareBdf);
    const [first] = devices.keys();
    const limit = devices.size > MAX_DOWNSTREAM ? MAX_DOWNSTREAM : undefined;
    return [switchNotMirrored({ devices: names, switch: host, limit, location: first?.location })];
  });
}

/** By host address, so that ports are in the order in which the host has the devices. */
function compareMoves(a: SlotMove, b: SlotMove): number {
  const [x, y] = [a.functions[0]?.device.bdf, b.functions[0]?.device.bdf];
  return x && y ? compareBdf(x, y) : 0;
}
