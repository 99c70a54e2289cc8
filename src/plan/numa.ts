import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { numaCellDiffers, numaCellUnknown } from '../diagnostics/numa.js';
import {
  type CellId,
  cellId,
  formatNodeset,
  type GuestCell,
  type GuestNuma,
  type HostNode,
  hostNode,
  isInitiator,
  parseNodeset,
} from '../domain/numa.js';
import type { CreatedCell } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';

/** The guest's cells, including a new one, and the host node that each cell stands for. */
export interface CellMap {
  /** Sorted by id. */
  readonly cells: readonly GuestCell[];
  /** The host node of each cell, if known. */
  readonly hostNodes: ReadonlyMap<CellId, HostNode>;
  /** The host node of each cell whose vCPUs are all pinned to CPUs of that node. */
  readonly pinned: ReadonlyMap<CellId, HostNode>;
  readonly created: CreatedCell | null;
}

/**
 * Finds the host node of each guest cell. This is the node that `numatune` names for the cell, if it is a single one; otherwise
 * the node to whose CPUs all vCPUs of the cell are pinned; otherwise the only host node with CPUs. With `numa: "create"`, a
 * guest without cells gets one cell with all its CPUs and memory.
 */
export function mapCells(numa: GuestNuma, host: Host, mode: Policy['numa']): CellMap {
  const creates = mode === 'create' && numa.cells.length === 0 && numa.vcpus > 0 && numa.memory > 0;
  const cpus = Array.from({ length: creates ? numa.vcpus : 0 }, (_, i) => i);
  const only: GuestCell = {
    id: cellId(0),
    cpus,
    memory: numa.memory,
    distances: new Map(),
    element: undefined,
    location: undefined,
  };
  const cells = creates ? [only] : numa.cells;
  const hostNodes = new Map<CellId, HostNode>();
  const pinned = new Map<CellId, HostNode>();
  for (const cell of cells) {
    const pin = pinnedNode(cell, numa, host);
    const node = boundNode(cell, numa) ?? pin ?? (isInitiator(cell) ? undefined : host.soleCpuNode);
    if (node !== undefined) hostNodes.set(cell.id, node);
    if (pin !== undefined) pinned.set(cell.id, pin);
  }
  const created = creates
    ? { cell: only.id, cpus: formatNodeset(cpus), memory: only.memory, outermost: numa.outermostMissing }
    : null;
  return { cells, hostNodes, pinned, created };
}

/** Returns the node that a cell's memory is bound to, if it is a single one. */
function boundNode(cell: GuestCell, numa: GuestNuma): HostNode | undefined {
  const own = numa.memnodes.get(cell.id);
  if (own) return own.length === 1 ? own[0] : undefined;
  return numa.nodeset?.length === 1 && cell.memory > 0 ? numa.nodeset[0] : undefined;
}

/** Returns the node that has all the CPUs that a cell's vCPUs are pinned to. */
function pinnedNode(cell: GuestCell, numa: GuestNuma, host: Host): HostNode | undefined {
  const allowed = cell.cpus.map((vcpu) => numa.pinning(vcpu));
  if (allowed.length === 0 || allowed.some((cpus) => cpus === undefined || cpus.length === 0)) return undefined;
  const cpus = new Set(allowed.flatMap((list) => list ?? []));
  const node = host.nodes.find((n) => {
    const there = new Set(parseNodeset(n.cpus));
    return [...cpus].every((cpu) => there.has(cpu));
  });
  return node && hostNode(node.id);
}

/** Returns the host node of the devices behind an SMMU: their own node, or else the SMMU's, or else the only node with CPUs. */
function nodeOf(smmu: string, devices: readonly PciDevice[], host: Host): HostNode | undefined {
  const nodes = new Set(devices.flatMap((device) => device.node ?? []));
  if (nodes.size > 1) return undefined;
  // Ignore other devices behind the SMMU: a scan for one domain does not include them.
  const [own = devices.length > 0 ? host.smmu(smmu)?.node : host.smmuNode(smmu)] = nodes;
  return own == null ? host.soleCpuNode : hostNode(own);
}

/** The cell for an expander bus, with its diagnostics. */
export interface CellChoice {
  readonly node: CellId | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** The input for choosing the cell of an expander bus. */
export interface CellRequest {
  readonly smmu: string;
  readonly devices: readonly PciDevice[];
  /** The cell that the expander bus names now. */
  readonly before: CellId | null;
  readonly location: Location | undefined;
}

/**
 * Chooses the guest cell of an expander bus (rule "NUMA"): the cell that stands for the host node of its devices. If the
 * expander bus names another cell already, it keeps that cell, with a warning.
 */
export function chooseCell({ smmu, devices, before, location }: CellRequest, map: CellMap, host: Host): CellChoice {
  const here = nodeOf(smmu, devices, host);
  const keepCell = (why: Diagnostic): CellChoice => ({
    node: before,
    diagnostics: before === null && map.cells.length > 0 ? [why] : [],
  });
  if (here === undefined) {
    // On a host without NUMA nodes, there is nothing to choose.
    if (host.nodes.length === 0) return { node: before, diagnostics: [] };
    const several = new Set(devices.flatMap((device) => device.node ?? []));
    return keepCell(
      several.size > 1
        ? numaCellUnknown.severalNodes({ smmu, nodes: formatNodeset([...several]), location })
        : numaCellUnknown.unknownNode({ smmu, location }),
    );
  }
  const [first, second] = candidatesFor(here, map, host);
  if (!first) {
    const unbound = map.cells.filter((cell) => !map.hostNodes.has(cell.id) && !isInitiator(cell)).map(({ id }) => id);
    return keepCell(numaCellUnknown.noCell({ smmu, node: here, unbound: formatNodeset(unbound), location }));
  }
  if (second) {
    return keepCell(numaCellUnknown.severalCells({ smmu, node: here, first: first.id, second: second.id, location }));
  }
  if (before === null || before === first.id) return { node: first.id, diagnostics: [] };
  return { node: before, diagnostics: [numaCellDiffers({ smmu, cell: before, nearest: first.id, location })] };
}

/**
 * Returns the guest cells on a host node. If there are several, returns only those whose vCPUs are pinned to the node. If none
 * is pinned there and no other node has CPUs, returns the first cell.
 */
function candidatesFor(node: HostNode, { cells, hostNodes, pinned }: CellMap, host: Host): readonly GuestCell[] {
  const on = (nodes: ReadonlyMap<CellId, HostNode>) =>
    cells.filter((cell) => nodes.get(cell.id) === node && !isInitiator(cell));
  const bound = on(hostNodes);
  if (bound.length === 1) return bound;
  const there = on(pinned);
  if (there.length > 0) return there;
  return host.soleCpuNode === node ? bound.slice(0, 1) : bound;
}
