import { diagnostic } from '../../diagnostics.js';
import { readRecord } from '../../edit/undo/record.js';
import { staleEntries } from '../../edit/undo/recorded.js';
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
