import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/batch/window.js';

async function* count(to: number, seen: (n: number) => void = () => undefined): AsyncGenerator<number> {
  for (let n = 0; n < to; n++) {
    seen(n);
    yield n;
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const later = (n: number): Promise<number> => new Promise((done) => setTimeout(() => done(n), (n * 7) % 5));

describe('a bounded window of concurrent work on a stream', () => {
  it('returns results in the order of the stream, whichever is ready first', async () => {
    expect(await all(inOrder(count(50), 8, later))).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('reads ahead at most by its width', async () => {
    let read = 0;
    let given = 0;
    const results = inOrder(
      count(100, () => read++),
      4,
      later,
    );
    for await (const _ of results) expect(read - given++).toBeLessThanOrEqual(4);
    expect(given).toBe(100);
  });

  it('starts no more work once it is stopped, and returns results of work in progress', async () => {
    const stop = new AbortController();
    const inFlight: number[] = [];
    const given: number[] = [];
    const work = (n: number) => {
      inFlight.push(n);
      return later(n);
    };
    for await (const n of inOrder(count(100), 4, work, stop.signal)) {
      given.push(n);
      if (n === 10) stop.abort();
    }
    expect(given).toEqual(inFlight);
    expect(given.length).toBeLessThan(20);
  });

  it('waits for work in progress before it passes an error on', async () => {
    let underWay = 0;
    const work = async (n: number) => {
      underWay++;
      await later(n);
      underWay--;
      if (n === 3) throw new Error('three');
      return n;
    };
    await expect(all(inOrder(count(100), 4, work))).rejects.toThrow('three');
    expect(underWay).toBe(0);
  });
});
