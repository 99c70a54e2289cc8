import { diagnostic } from '../../diagnostics.js';
import type { Domain } from '../../domain/domain.js';
import { subjectsOf } from '../../edit/properties.js';
import { changesOf, listed, type Meaning, readRecord, subjectName } from '../../edit/undo/record.js';
import type { Rule } from '../inspection.js';

/** What an earlier `rewrite` wrote down is what `revert` goes by. */
export const metadata: Rule = ({ domain, location }) => {
  const { elements, record, diagnostics } = readRecord(domain);
  const [element] = elements;
  if (!element || !record) return diagnostics;
  return staleEntries(domain, record).map((what) =>
    diagnostic('metadata-stale', what, { location: location(element) }),
  );
};

/** Describes what a record says that is no longer so: somebody changed it since, and `revert` leaves it as they did. */
function staleEntries(domain: Domain, { changed, added }: Meaning): readonly string[] {
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
