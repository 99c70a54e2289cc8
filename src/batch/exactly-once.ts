import { diagnostic, EnvironmentError } from '../diagnostics.js';
import type { DomainResult } from './item.js';

/**
 * Hands items to `work` and passes its results on. Every item must get exactly one result.
 * @param signal once it fires, `work` may leave out items
 * @throws OutsideError `run-incomplete`
 */
export async function* exactlyOnce<T>(
  items: AsyncIterable<T> | Iterable<T>,
  idOf: (item: T) => string,
  work: (items: AsyncIterable<T>) => AsyncIterable<DomainResult>,
  signal: AbortSignal,
): AsyncGenerator<DomainResult> {
  const open = new Set<string>();
  async function* handOut(): AsyncGenerator<T> {
    for await (const item of items) {
      const id = idOf(item);
      if (open.has(id)) throw incomplete(`${id} is listed twice`);
      open.add(id);
      yield item;
    }
  }
  for await (const result of work(handOut())) {
    if (!open.delete(result.id)) throw incomplete(`there is a second result for ${result.id}, or it was not asked for`);
    yield result;
  }
  const [first] = open;
  if (first === undefined || signal.aborted) return;
  throw incomplete(`there is no result for ${first}${open.size > 1 ? ` and ${open.size - 1} more` : ''}`);
}

/** A bug in vsmmu, or a thread that died: the run must not count as complete. */
export function incomplete(message: string): EnvironmentError {
  return new EnvironmentError(diagnostic('run-incomplete', message));
}
