import type { Diagnostic, Location } from '../../diagnostics/diagnostic.js';
import { metadataStale } from '../../diagnostics/record.js';
import type { Domain } from '../../domain/domain.js';
import { subjectsOf } from '../../edit/properties.js';
import { changesOf, listed, type Meaning, readRecord, subjectName } from '../../edit/undo/record.js';
import type { Rule } from '../inspection.js';

/** Checks the record of an earlier `rewrite`, which `revert` relies on. */
export const metadata: Rule = ({ domain, location }) => {
  const { elements, record, diagnostics } = readRecord(domain);
  const [element] = elements;
  if (!element || !record) return diagnostics;
  return staleEntries(domain, record, location(element));
};

/** Reports elements and values that were changed since they were recorded; `revert` keeps the newer change. */
function staleEntries(domain: Domain, { changed, added }: Meaning, location: Location): readonly Diagnostic[] {
  const subjects = new Map(subjectsOf(domain).map((subject) => [subject.name, subject]));
  const values = changed.flatMap((change) => {
    const what = subjectName(change);
    const subject = subjects.get(what);
    if (!subject) return [metadataStale.gone({ what, location })];
    const edited = changesOf(change).filter(
      ([key, , after]) => subject.properties.find((p) => p.name === key)?.read(subject) !== after,
    );
    return edited.map(([property]) => metadataStale.edited({ property, what, location }));
  });
  const present = {
    controllers: new Set<number>([0, ...domain.controllers.map((c) => c.index)]),
    iommus: new Set<number>(domain.iommus.map((i) => i.pciBus ?? 0)),
    cells: new Set<number>(domain.numa.cells.map((c) => c.id)),
  };
  const missing = (['controllers', 'iommus', 'cells'] as const).flatMap((kind) =>
    [...listed(added[kind])].filter((key) => !present[kind].has(key)).map((key) => `${kind.slice(0, -1)} ${key}`),
  );
  return [...values, ...missing.map((what) => metadataStale.removed({ what, location }))];
}
