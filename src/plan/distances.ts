import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { numaDistanceMissing, numaNodeShared, numaNodeUnknown } from '../diagnostics/numa.js';
import type { CellId, HostNode } from '../domain/numa.js';
import type { Distance } from '../generated/plan.js';
import { groupBy } from '../group-by.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import type { Initiators } from './initiators.js';
import type { CellMap } from './numa.js';

/** The distance of a node from itself (ACPI, SLIT). libvirt 12.8 refuses it between different cells. */
const LOCAL_DISTANCE = 10;

/** The maximum distance, which means that one node cannot reach the other. */
const MAX_DISTANCE = 255;

/** The distances to add, and the reasons why some could not be found. */
export interface Distances {
  readonly added: readonly Distance[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Returns the distances between the guest's cells, taken from the host nodes that the cells stand for. Distances that the
 * domain specifies already are left out. A cell without memory may have no host node; libvirt's default of 20 applies to it.
 * @param initiatorDistance the policy's distance between added cells and cells with memory
 */
export function projectDistances(
  map: CellMap,
  { added, hostNodes }: Initiators,
  host: Host,
  initiatorDistance: Policy['initiatorDistance'],
): Distances {
  if (added.length === 0) return { added: [], diagnostics: [] };
  const nodes = new Map<CellId, HostNode>([...map.hostNodes, ...hostNodes]);
  const unknown = map.cells.filter(({ id, memory }) => memory > 0 && !nodes.has(id));
  const diagnostics = [
    ...unknown.map(({ id, location }) => numaNodeUnknown({ cell: id, location })),
    ...sharedNodes(nodes, map),
  ];
  if (diagnostics.length > 0) return { added: [], diagnostics };

  const cells = [...map.cells, ...added.map(({ cell }) => ({ id: cell, distances: new Map<CellId, number>() }))];
  const distances: Distance[] = [];
  const own = new Set<CellId>(added.map(({ cell }) => cell));
  const withMemory = new Set(map.cells.filter(({ memory }) => memory > 0).map(({ id }) => id));
  const isInitiatorToMemory = (a: CellId, b: CellId) => own.has(a) && withMemory.has(b);
  const missing: { from: HostNode; to: HostNode; cell: CellId; sibling: CellId }[] = [];
  for (const { id: cell, distances: given } of cells) {
    for (const { id: sibling, distances: back } of cells) {
      const [from, to] = [nodes.get(cell), nodes.get(sibling)];
      if (from === undefined || to === undefined || given.has(sibling)) continue;
      const isChosen =
        initiatorDistance !== 'host' && (isInitiatorToMemory(cell, sibling) || isInitiatorToMemory(sibling, cell));
      const onHost = cell === sibling ? LOCAL_DISTANCE : isChosen ? initiatorDistance : host.distance(from, to);
      // If only one of two cells specifies the distance, it applies in both directions (libvirt 12.8).
      const value = back.get(cell) ?? onHost;
      if (value === undefined || value < LOCAL_DISTANCE || value > MAX_DISTANCE) {
        missing.push({ from, to, cell, sibling });
        continue;
      }
      // Linux reports 10 between different nodes of one device, too.
      distances.push({ cell, sibling, value: cell === sibling ? value : Math.max(value, LOCAL_DISTANCE + 1) });
    }
  }
  const [first] = missing;
  if (first === undefined) return { added: distances, diagnostics: [] };
  return { added: [], diagnostics: [numaDistanceMissing({ ...first, more: missing.length - 1 })] };
}

/** Reports cells that stand for the same host node, because the distances of that node are then ambiguous. */
function sharedNodes(nodes: ReadonlyMap<CellId, HostNode>, { cells }: CellMap): Diagnostic[] {
  const sorted = [...nodes].sort(([a], [b]) => a - b);
  return [...groupBy(sorted, ([, node]) => node)].flatMap(([node, [first, ...others]]) =>
    others.flatMap(([second]) => {
      const location = cells.find(({ id }) => id === second)?.location;
      return first ? [numaNodeShared({ first: first[0], second, node, location })] : [];
    }),
  );
}
