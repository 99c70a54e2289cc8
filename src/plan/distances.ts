import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { numaDistanceMissing, numaNodeShared, numaNodeUnknown } from '../diagnostics/numa.js';
import type { CellId, GuestCell, HostNode } from '../domain/numa.js';
import type { Distance } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import type { Initiators } from './initiators.js';
import type { CellMap } from './numa.js';

/** The distance of a node from itself (ACPI, SLIT); libvirt takes it for no other (12.8). */
const LOCAL_DISTANCE = 10;

/** The longest distance that there is: no way between the two. */
const MAX_DISTANCE = 255;

/** The distances that are to be added, and why some could not be found. */
export interface Distances {
  readonly added: readonly Distance[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The distances between the guest's cells as the host has them between their nodes: all that the cells do not give
 * themselves. Cells without memory may stand for no node of the host; libvirt's 20 holds for them.
 */
export function projectDistances(map: CellMap, { added, hostNodes }: Initiators, host: Host): Distances {
  if (added.length === 0) return { added: [], diagnostics: [] };
  const diagnostics: Diagnostic[] = [];
  const nodes = new Map<CellId, HostNode>([...map.hostNodes, ...hostNodes]);
  const cells: Pick<GuestCell, 'id' | 'distances'>[] = [
    ...map.cells,
    ...added.map(({ cell }) => ({ id: cell, distances: new Map() })),
  ];
  for (const { id, memory, location } of map.cells) {
    if (memory === 0 || nodes.has(id)) continue;
    diagnostics.push(numaNodeUnknown({ cell: id, location }));
  }
  diagnostics.push(...sharedNodes(nodes, map));
  if (diagnostics.length > 0) return { added: [], diagnostics };

  const distances: Distance[] = [];
  const missing: { from: HostNode; to: HostNode; cell: CellId; sibling: CellId }[] = [];
  for (const { id: cell, distances: given } of cells) {
    for (const { id: sibling, distances: back } of cells) {
      const [from, to] = [nodes.get(cell), nodes.get(sibling)];
      if (from === undefined || to === undefined || given.has(sibling)) continue;
      const onHost = cell === sibling ? LOCAL_DISTANCE : host.distance(from, to);
      // A distance holds both ways if the other cell gives none (libvirt 12.8).
      const value = back.get(cell) ?? onHost;
      if (value === undefined || value < LOCAL_DISTANCE || value > MAX_DISTANCE) {
        missing.push({ from, to, cell, sibling });
        continue;
      }
      // Linux shows 10 between nodes of one device, too.
      distances.push({ cell, sibling, value: cell === sibling ? value : Math.max(value, LOCAL_DISTANCE + 1) });
    }
  }
  const [first] = missing;
  if (first === undefined) return { added: distances, diagnostics };
  return { added: [], diagnostics: [numaDistanceMissing({ ...first, more: missing.length - 1 })] };
}

/** Two cells for one node of the host: neither is the one whose distances are meant. */
function sharedNodes(nodes: ReadonlyMap<CellId, HostNode>, { cells }: CellMap): Diagnostic[] {
  const first = new Map<HostNode, CellId>();
  const diagnostics: Diagnostic[] = [];
  for (const [cell, node] of [...nodes].sort(([a], [b]) => a - b)) {
    const other = first.get(node);
    if (other === undefined) first.set(node, cell);
    else {
      const location = cells.find(({ id }) => id === cell)?.location;
      diagnostics.push(numaNodeShared({ first: other, second: cell, node, location }));
    }
  }
  return diagnostics;
}
