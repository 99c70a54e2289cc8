import { type Diagnostic, diagnostic, type Place } from '../diagnostics.js';
import { type CellId, formatNodeset, type GuestCell, type GuestNuma, type HostNode } from '../domain/numa.js';
import type { CreatedCell } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import { parseList } from '../host/numa.js';
import type { Policy } from './policy.js';

/** The guest's cells, one that is to be made among them, and which node of the host each stands for. */
export interface CellMap {
  /** By id. */
  readonly cells: readonly GuestCell[];
  /** The cells whose host node is known. */
  readonly hostNodes: ReadonlyMap<CellId, HostNode>;
  readonly created: CreatedCell | null;
}

/**
 * Finds the host node of each guest cell: `numatune`'s, where that names one node for it; else the one whose CPUs the
 * cell's vCPUs are all pinned to. With `numa: "create"`, a guest without cells gets one of all its CPUs and memory.
 */
export function mapCells(numa: GuestNuma, host: Host, wanted: Policy['numa']): CellMap {
  const creates = wanted === 'create' && numa.cells.length === 0 && numa.vcpus > 0 && numa.memory > 0;
  const cpus = Array.from({ length: creates ? numa.vcpus : 0 }, (_, i) => i);
  const only: GuestCell = {
    id: 0 as CellId,
    cpus,
    memory: numa.memory,
    distances: new Map(),
    element: undefined,
  };
  const cells = creates ? [only] : numa.cells;
  const hostNodes = new Map<CellId, HostNode>();
  for (const cell of cells) {
    const node = boundNode(cell, numa) ?? pinnedNode(cell, numa, host);
    if (node !== undefined && node !== 'several') hostNodes.set(cell.id, node);
  }
  const created = creates ? { cell: only.id, cpus: formatNodeset(cpus), memory: only.memory } : null;
  return { cells, hostNodes, created };
}

/** The node that a cell's memory is bound to; `several` where `memnode` names more than one for it. */
function boundNode(cell: GuestCell, numa: GuestNuma): HostNode | 'several' | undefined {
  const own = numa.memnodes.get(cell.id);
  if (own) return own.length === 1 ? own[0] : 'several';
  return numa.nodeset?.length === 1 && cell.memory > 0 ? numa.nodeset[0] : undefined;
}

/** The node that has all the CPUs that a cell's vCPUs may run on. */
function pinnedNode(cell: GuestCell, numa: GuestNuma, host: Host): HostNode | undefined {
  const allowed = cell.cpus.map((vcpu) => numa.pinning(vcpu));
  if (allowed.length === 0 || allowed.some((cpus) => cpus === undefined || cpus.length === 0)) return undefined;
  const cpus = new Set(allowed.flatMap((list) => list ?? []));
  const node = host.nodes.find((n) => {
    const there = new Set(n.cpus === '' ? [] : parseList(n.cpus));
    return [...cpus].every((cpu) => there.has(cpu));
  });
  return node && (node.id as HostNode);
}

/** The node of the host that devices behind one SMMU are on: their own, else the SMMU's; undefined where none or several. */
export function nodeOf(smmu: string, devices: readonly PciDevice[], host: Host): HostNode | undefined {
  const nodes = new Set(devices.flatMap((device) => device.node ?? []));
  if (nodes.size > 1) return undefined;
  const [own] = nodes;
  return ((own ?? host.smmuNode(smmu)) as HostNode | null) ?? undefined;
}

/** The cell that a bridge is put on, and what there is to say about it. */
export interface BridgeNode {
  readonly node: CellId | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** A bridge, for the choice of its cell. */
export interface BridgeSite {
  readonly smmu: string;
  readonly devices: readonly PciDevice[];
  /** The cell that it names already. */
  readonly before: CellId | null;
  readonly place: Place | undefined;
}

/**
 * Chooses the guest cell of a bridge (rule 10): the one that stands for its devices' node of the host. What a bridge says
 * already stays, with a warning where it is another.
 */
export function chooseCell({ smmu, devices, before, place }: BridgeSite, map: CellMap, host: Host): BridgeNode {
  const here = nodeOf(smmu, devices, host);
  const left = (why: string): BridgeNode => ({
    node: before,
    diagnostics:
      before === null && map.cells.length > 0
        ? [diagnostic('numa-cell-unknown', `the bridge of ${smmu} is put on no NUMA cell: ${why}`, { place })]
        : [],
  });
  if (here === undefined) {
    // A host without NUMA has nothing to say; one where devices of a bridge are on several nodes has.
    const several = new Set(devices.flatMap((device) => device.node ?? []));
    return several.size > 1 ? left(`its devices are on host nodes ${formatNodeset([...several])}`) : quiet(before);
  }
  const candidates = map.cells.filter((cell) => map.hostNodes.get(cell.id) === here && !isInitiator(cell));
  const [first, second] = candidates;
  if (!first) return left(`no cell of the guest is known to be on host node ${here}`);
  if (second) return left(`cells ${first.id} and ${second.id} are both on host node ${here}`);
  if (before === null || before === first.id) return { node: first.id, diagnostics: [] };
  const message = `the bridge of ${smmu} is on NUMA cell ${before}, and its devices are nearest to cell ${first.id}`;
  return { node: before, diagnostics: [diagnostic('numa-cell-differs', message, { place })] };
}

/** A cell that is a device's: it has neither CPUs nor memory. */
export function isInitiator({ cpus, memory }: GuestCell): boolean {
  return cpus.length === 0 && memory === 0;
}

function quiet(node: CellId | null): BridgeNode {
  return { node, diagnostics: [] };
}
