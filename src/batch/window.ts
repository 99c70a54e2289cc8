/**
 * Runs `work` on each item of a stream, several at a time, and yields the results in the order of the stream. Reads an
 * item only if fewer than `width` results are pending. After `signal` is aborted, no further item is begun, and those in
 * progress are finished.
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
      // It is awaited later; until then, a rejection must not count as unhandled.
      result.catch(() => undefined);
      inFlight.push(result);
      if (inFlight.length >= width) yield* first();
    }
    while (inFlight.length > 0) yield* first();
  } finally {
    await Promise.allSettled(inFlight);
  }
}
