import { failure } from './conversion.js';
import { type DomainResult, isChangedInPlace } from './item.js';
import type { Journal } from './journal.js';
import { whyOf } from './why.js';

/**
 * Writes down the result of a domain, except of one that was changed in place: `change` has done that. A domain whose
 * result cannot be written down has failed.
 * @param journal undefined: dry run
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
