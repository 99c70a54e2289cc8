import { failure } from './conversion.js';
import { type DomainResult, isChangedInPlace } from './item.js';
import type { Journal } from './journal.js';
import { whyOf } from './why.js';

/**
 * Records the result of a domain in the journal, unless the domain was changed in place: `change` has recorded that. If
 * the result cannot be recorded, the domain has failed.
 * @param journal undefined for a dry run
 */
export async function settle(journal: Journal | undefined, item: DomainResult): Promise<DomainResult> {
  const { id, name, verdict, why } = item;
  if (!journal || isChangedInPlace(verdict)) return item;
  try {
    await journal.append({ event: 'settled', id, name, verdict, ...(why !== undefined && { why }) }, { sync: false });
    return item;
  } catch (error) {
    const diagnostics = failure(error);
    return { ...item, verdict: 'failed', why: whyOf(diagnostics), diagnostics, loses: [], devices: undefined };
  }
}
