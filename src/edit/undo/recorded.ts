import { parseBdf } from '../../domain/address.js';
import type { Domain } from '../../domain/domain.js';
import type { CellId } from '../../domain/numa.js';
import type { ManagedDevices } from '../../plan/orphaned.js';
import { subjectsOf } from '../properties.js';
import { changesOf, listed, type Meaning, readRecord, subjectName } from './record.js';

/** What earlier runs put into a domain for certain devices, by its record; nothing where it has none. */
export function managedDevicesOf(domain: Domain): ManagedDevices {
  const { hostdevs, cells } = readRecord(domain).record?.added ?? {};
  return {
    groupMembers: new Set((hostdevs ?? '').split(' ').flatMap((name) => parseBdf(name) ?? [])),
    cells: listed(cells) as ReadonlySet<CellId>,
  };
}

/** What a record says that is no longer so, in words: others changed it since, and a revert leaves it as they did. */
export function staleEntries(domain: Domain, { changed, added }: Meaning): readonly string[] {
  const subjects = new Map(subjectsOf(domain).map((subject) => [subject.name, subject]));
  const values = changed.flatMap((change) => {
    const name = subjectName(change);
    const subject = subjects.get(name);
    if (!subject) return [`${name} is no longer there`];
    const edited = changesOf(change).filter(
      ([key, , after]) => subject.properties.find((p) => p.name === key)?.value !== after,
    );
    return edited.map(([key]) => `${key} of ${name} was changed again`);
  });
  const present = {
    controllers: new Set<number>([0, ...domain.controllers.map((c) => c.index)]),
    iommus: new Set<number>(domain.iommus.map((i) => i.pciBus ?? 0)),
    cells: new Set<number>(domain.numa.cells.map((c) => c.id)),
  };
  const missing = (['controllers', 'iommus', 'cells'] as const).flatMap((kind) =>
    [...listed(added[kind])].filter((key) => !present[kind].has(key)).map((key) => `${kind.slice(0, -1)} ${key}`),
  );
  return [...values, ...missing.map((what) => `${what}, which vsmmu added, is no longer there`)];
}
