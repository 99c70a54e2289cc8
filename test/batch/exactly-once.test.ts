import { describe, expect, it } from 'vitest';
import { exactlyOnce } from '../../src/batch/exactly-once.js';
import type { DomainResult } from '../../src/batch/item.js';

const resultFor = (id: string): DomainResult => ({
  id,
  name: id,
  verdict: 'unchanged',
  loses: [],
  running: false,
  diagnostics: [],
});

/** Runs a batch over `items` whose work returns results for `answers(ids)`. Returns the ids of the results. */
async function resultsOf(answers: (ids: string[]) => string[], { items = ['a', 'b', 'c'], stopped = false } = {}) {
  const stop = new AbortController();
  if (stopped) stop.abort();
  async function* work(handedOut: AsyncIterable<string>): AsyncGenerator<DomainResult> {
    const ids: string[] = [];
    for await (const id of handedOut) ids.push(id);
    for (const id of answers(ids)) yield resultFor(id);
  }
  const results: string[] = [];
  for await (const { id } of exactlyOnce(items, (id) => id, work, stop.signal)) results.push(id);
  return results;
}

describe('the results of a batch', () => {
  it('are passed on, one per item, in any order', async () => {
    expect(await resultsOf((ids) => ids.toReversed())).toEqual(['c', 'b', 'a']);
  });

  it.each<[title: string, answers: (ids: string[]) => string[], message: string]>([
    ['is missing', (ids) => ids.slice(1), 'there is no result for a'],
    ['is missing for several items', () => [], 'there is no result for a and 2 more'],
    ['comes twice', (ids) => [...ids, 'b'], 'unexpected result for b'],
    ['was not asked for', (ids) => [...ids, 'd'], 'unexpected result for d'],
  ])('are incomplete when one %s', async (_, answers, message) => {
    await expect(resultsOf(answers)).rejects.toMatchObject({ diagnostics: [{ code: 'run-incomplete', message }] });
  });

  it('are incomplete when an item is listed twice', async () => {
    await expect(resultsOf((ids) => ids, { items: ['a', 'a'] })).rejects.toThrow('a is listed twice');
  });

  it('may be missing once the batch is stopped, but may not be repeated', async () => {
    expect(await resultsOf((ids) => ids.slice(1), { stopped: true })).toEqual(['b', 'c']);
    await expect(resultsOf(() => ['a', 'a'], { stopped: true })).rejects.toThrow('unexpected result for a');
  });
});
