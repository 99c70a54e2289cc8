import type { Diagnostic, Location } from '../../diagnostics/diagnostic.js';
import { metadataStale } from '../../diagnostics/record.js';
import type { Domain } from '../../domain/domain.js';
import { changesIn, listed, type Meaning, readRecord } from '../../edit/undo/record.js';
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
  const changes = changesIn(domain, changed);
  const gone = new Set(changes.flatMap(({ what, change }) => (change ? [] : [what])));
  const edited = changes.filter(({ change, isAsLeft }) => change && !isAsLeft);
  const present = {
    controllers: new Set<number>([0, ...domain.controllers.map((c) => c.index)]),
    iommus: new Set<number>(domain.iommus.map((i) => i.pciBus ?? 0)),
    cells: new Set<number>(domain.numa.cells.map((c) => c.id)),
  };
  const missing = (['controllers', 'iommus', 'cells'] as const).flatMap((kind) =>
    [...listed(added[kind])].filter((key) => !present[kind].has(key)).map((key) => `${kind.slice(0, -1)} ${key}`),
  );
  return [
    ...[...gone].map((what) => metadataStale.gone({ what, location })),
    ...edited.map(({ name, what }) => metadataStale.edited({ property: name, what, location })),
    ...missing.map((what) => metadataStale.removed({ what, location })),
  ];
}
