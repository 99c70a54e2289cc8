import { orphanedRemoved } from '../diagnostics/groups.js';
import type { Bdf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { type CellId, formatNodeset, isInitiator, parseNodeset } from '../domain/numa.js';
import type { Host } from '../host/host.js';
import { changesOf, type StageResult } from './stage.js';

/** The elements that earlier runs added for certain devices, according to the domain's record. */
export interface ManagedDevices {
  /** Endpoints that were added as unassigned devices because a placed device is in their group. */
  readonly groupMembers: ReadonlySet<Bdf>;
  /** NUMA cells of Generic Initiators. */
  readonly cells: ReadonlySet<CellId>;
}

/** The elements to remove because the domain no longer has the devices that they were added for. */
export interface OrphanedElements extends StageResult {
  readonly groupMembers: readonly Bdf[];
  /** By number. A cell stays if a later cell stays, because libvirt 12.8 accepts no gap in the numbers. */
  readonly cells: readonly CellId[];
}

/** Finds elements that earlier runs added for devices that have left the domain. */
export function findOrphaned(domain: Domain, host: Host, { groupMembers, cells }: ManagedDevices): OrphanedElements {
  const given = domain.hostDevices.filter((device) => !device.unassigned);
  const groups = new Set(given.flatMap(({ bdf }) => host.device(bdf)?.group ?? []));
  const isAlone = (bdf: Bdf) => {
    const group = host.device(bdf)?.group ?? null;
    return group !== null && !groups.has(group);
  };
  const named = new Set<number>([
    ...domain.hostDevices.flatMap((device) => parseNodeset(device.nodeset ?? '') ?? []),
    ...domain.controllers.flatMap((controller) => controller.node ?? []),
  ]);
  const gone: CellId[] = [];
  for (const cell of domain.numa.cells.toReversed()) {
    if (!isInitiator(cell) || !cells.has(cell.id) || named.has(cell.id)) break;
    gone.unshift(cell.id);
  }
  const members = domain.hostDevices.flatMap(({ bdf, unassigned }) =>
    unassigned && groupMembers.has(bdf) && isAlone(bdf) ? [bdf] : [],
  );
  return {
    groupMembers: members,
    cells: gone,
    diagnostics: [
      ...(members.length > 0 ? [orphanedRemoved.groupMembers({ devices: members })] : []),
      ...(gone.length > 0 ? [orphanedRemoved.cells({ cells: formatNodeset(gone) })] : []),
    ],
    changes: [...changesOf('remove', 'device', members), ...changesOf('remove', 'cell', gone)],
  };
}
