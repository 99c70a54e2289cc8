/**
 * Does something with each of a stream, several at a time, and gives what comes of it in the order of the stream. Of the
 * stream only as much is read ahead as is being worked on. Once `signal` fires nothing more is begun, and what was begun
 * is finished.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  width: number,
  work: (item: T) => Promise<R>,
  signal?: AbortSignal,
): AsyncGenerator<R> {
  const inFlight: Promise<R>[] = [];
  async function* first(): AsyncGenerator<R> {
    const next = inFlight.shift();
    if (next) yield await next;
  }
  try {
    for await (const item of items) {
      if (signal?.aborted) break;
      const result = work(item);
      // It is awaited later; until then it must not count as unhandled.
      result.catch(() => undefined);
      inFlight.push(result);
      if (inFlight.length >= width) yield* first();
    }
    while (inFlight.length > 0) yield* first();
  } finally {
    await Promise.allSettled(inFlight);
  }
}
