import { runIncomplete } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import type { DomainResult } from './item.js';

/**
 * Passes items to `work` and yields its results. Every item must get exactly one result.
 * @param signal after it is aborted, `work` may skip items
 * @throws EnvironmentError `run-incomplete`
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
      if (open.has(id)) throw new EnvironmentError(runIncomplete.listedTwice({ domain: id }));
      open.add(id);
      yield item;
    }
  }
  for await (const result of work(handOut())) {
    if (!open.delete(result.id)) throw new EnvironmentError(runIncomplete.unexpected({ domain: result.id }));
    yield result;
  }
  const [first] = open;
  if (first === undefined || signal.aborted) return;
  throw new EnvironmentError(runIncomplete.missing({ domain: first, more: open.size - 1 }));
}
