import type { Diagnostic } from '../diagnostics/diagnostic.js';
import {
  initiatorNodesMissing,
  initiatorNodesPartial,
  initiatorsLeftOut,
  numaCellsExhausted,
  numaCellsMany,
} from '../diagnostics/numa.js';
import { type Bdf, compareBdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import { type CellId, cellId, formatNodeset, type HostNode, hostNode, parseNodeset } from '../domain/numa.js';
import type { InitiatorCell } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import { profileOf } from '../policy/profiles.js';
import type { CellMap } from './numa.js';

/** The maximum number of NUMA nodes that QEMU gives a guest (11.1, `MAX_NODES`). */
const MAX_CELLS = 128;

/** The number of NUMA nodes that arm64 Linux supports by default (`CONFIG_NODES_SHIFT=4`, as in Debian's 7.2). */
const DEFAULT_LINUX_NODES = 16;

/** The Generic Initiators of a domain's devices: their cells, and which of these to add. */
export interface Initiators {
  readonly added: readonly InitiatorCell[];
  /** The cells of each device that gets new ones, for its `<acpi nodeset>`. */
  readonly nodesets: ReadonlyMap<Bdf, string>;
  /** The host node of each cell of a Generic Initiator, new or existing. */
  readonly hostNodes: ReadonlyMap<CellId, HostNode>;
  readonly diagnostics: readonly Diagnostic[];
}

const NONE: Initiators = { added: [], nodesets: new Map(), hostNodes: new Map(), diagnostics: [] };

/** Returns how many Generic Initiators the platform of a device provides for it. */
function initiatorsOf(device: PciDevice | undefined, policy: Policy): number {
  if (policy.profile === 'none' || policy.initiators === 'none' || !device) return 0;
  return profileOf(device)?.initiators ?? 0;
}

/**
 * Returns whether all devices of the host must be known: nodes that sysfs links to no device are assigned by the order of all
 * devices that have Generic Initiators.
 */
export function needsWholeHost(devices: readonly HostDevice[], host: Host, policy: Policy): boolean {
  const linked = new Set(host.nodes.flatMap(({ initiator, device }) => (initiator && device ? [device] : [])));
  return devices.some(({ bdf }) => initiatorsOf(host.device(bdf), policy) > 0 && !linked.has(bdf));
}

/**
 * Gives cells without CPUs and memory to each device whose platform has Generic Initiators (rule "Generic Initiators"). Their
 * numbers follow those of the guest's other cells. A device keeps its `<acpi nodeset>` if those cells exist. Otherwise the
 * nodeset is rebuilt, for example after a KubeVirt round trip, which drops the cells.
 * @param devices the placed devices, in the order of the domain
 */
export function planInitiators(devices: readonly HostDevice[], host: Host, map: CellMap, policy: Policy): Initiators {
  const wanting = devices.filter(({ bdf }) => initiatorsOf(host.device(bdf), policy) > 0);
  const lacking = wanting.filter((device) => !hasAllCells(device, map));
  if (lacking.length === 0) return NONE;
  const found = correlate(wanting, host, policy);
  if (found.nodes.size === 0) return { ...NONE, diagnostics: found.diagnostics };
  if (map.cells.length === 0) {
    const devices = lacking.map(({ bdf }) => bdf);
    return { ...NONE, diagnostics: [initiatorsLeftOut({ devices, location: lacking[0]?.location })] };
  }

  const added: InitiatorCell[] = [];
  const nodesets = new Map<Bdf, string>();
  const hostNodes = new Map<CellId, HostNode>();
  for (const device of wanting.filter((each) => !lacking.includes(each))) {
    const cells = parseNodeset(device.nodeset ?? '') ?? [];
    const nodes = found.nodes.get(device.bdf) ?? [];
    if (cells.length !== nodes.length) continue;
    for (const [i, node] of nodes.entries()) hostNodes.set(cellId(cells[i] ?? 0), node);
  }
  let next = Math.max(...map.cells.map((cell) => cell.id)) + 1;
  for (const { bdf } of lacking) {
    const nodes = found.nodes.get(bdf) ?? [];
    const own = nodes.map((hostNode) => ({ cell: cellId(next++), device: bdf, hostNode }));
    for (const { cell, hostNode } of own) hostNodes.set(cell, hostNode);
    added.push(...own);
    nodesets.set(bdf, formatNodeset(own.map(({ cell }) => cell)));
  }
  const diagnostics = [...found.diagnostics];
  if (next > MAX_CELLS) diagnostics.push(numaCellsExhausted({ needed: next, limit: MAX_CELLS }));
  else if (next > DEFAULT_LINUX_NODES) diagnostics.push(numaCellsMany({ cells: next }));
  return { added, nodesets, hostNodes, diagnostics };
}

function hasAllCells({ nodeset }: HostDevice, { cells }: CellMap): boolean {
  if (nodeset === undefined) return false;
  const present = new Set<number>(cells.map(({ id }) => id));
  return (parseNodeset(nodeset) ?? []).every((id) => present.has(id));
}

/** The host nodes of each device, by the device's address. */
interface Correlation {
  readonly nodes: ReadonlyMap<Bdf, readonly HostNode[]>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Finds the host nodes of each device: those that sysfs links to it. If sysfs links no node to any device, finds them by order. */
function correlate(devices: readonly HostDevice[], host: Host, policy: Policy): Correlation {
  const initiators = host.nodes.filter((node) => node.initiator);
  const linked = initiators.filter((node) => node.device !== null);
  if (linked.length === 0) return inOrder(devices, host, policy);

  const nodes = new Map<Bdf, readonly HostNode[]>();
  const diagnostics: Diagnostic[] = [];
  for (const { bdf, location } of devices) {
    const own = linked.filter((node) => node.device === bdf).map((node) => hostNode(node.id));
    const wanted = initiatorsOf(host.device(bdf), policy);
    if (own.length === wanted) {
      nodes.set(bdf, own);
      continue;
    }
    diagnostics.push(
      own.length === 0
        ? initiatorNodesPartial.none({ device: bdf, linked: linked[0]?.device ?? '', location })
        : initiatorNodesPartial.some({ device: bdf, nodes: own.length, needed: wanted, location }),
    );
  }
  return { nodes, diagnostics };
}

/** Assigns host nodes by order: firmware numbers the devices that have Generic Initiators and their nodes in the same order. */
function inOrder(devices: readonly HostDevice[], host: Host, policy: Policy): Correlation {
  const initiators = host.nodes.filter((node) => node.initiator).map((node) => hostNode(node.id));
  const nodes = new Map<Bdf, readonly HostNode[]>();
  let next = 0;
  for (const device of host.endpoints.toSorted((a, b) => compareBdf(a.bdf, b.bdf))) {
    const count = initiatorsOf(device, policy);
    if (count > 0) nodes.set(device.bdf, initiators.slice(next, next + count));
    next += count;
  }
  const short = devices.filter(({ bdf }) => nodes.get(bdf)?.length !== initiatorsOf(host.device(bdf), policy));
  const [first] = short;
  if (!first) return { nodes, diagnostics: [] };
  const missing = { nodes: initiators.length, needed: next, devices: short.map(({ bdf }) => bdf) };
  return { nodes, diagnostics: [initiatorNodesMissing({ ...missing, location: first.location })] };
}
