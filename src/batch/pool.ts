import { Worker } from 'node:worker_threads';
import { type FileResult, type FolderTask, FolderWorker } from './folder-task.js';

/** What converts files, here or in other threads. */
export interface Converter {
  convert(paths: readonly string[]): Promise<FileResult[]>;
  close(): Promise<void>;
}

/** @param jobs how many threads; with one it is done in this one */
export function openConverter(task: FolderTask, jobs: number): Converter {
  if (jobs > 1) return new WorkerPool(task, jobs);
  const worker = new FolderWorker(task);
  return { convert: (paths) => worker.convert(paths), close: async () => undefined };
}

interface Thread {
  readonly worker: Worker;
  /** Asked and not answered, the oldest first: a thread answers in order. */
  readonly asked: { resolve(results: FileResult[]): void; reject(error: unknown): void }[];
}

/** Threads that each take the next paths that are asked for; one is started when all others are busy. */
class WorkerPool implements Converter {
  readonly #threads: Thread[] = [];
  readonly #task: FolderTask;
  readonly #size: number;

  constructor(task: FolderTask, size: number) {
    // Whatever is wrong with the hosts is told before any thread is started.
    new FolderWorker(task);
    this.#task = task;
    this.#size = size;
  }

  convert(paths: readonly string[]): Promise<FileResult[]> {
    const [idlest] = this.#threads.toSorted((a, b) => a.asked.length - b.asked.length);
    const full = this.#threads.length >= this.#size;
    const thread = idlest && (idlest.asked.length === 0 || full) ? idlest : this.#start();
    return new Promise((resolve, reject) => {
      thread.asked.push({ resolve, reject });
      thread.worker.postMessage(paths);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(): Thread {
    // Made by bin/bundle.mjs beside the bundle that this is in.
    const worker = new Worker(new URL('./batch-worker.cjs', import.meta.url), { workerData: this.#task });
    const thread: Thread = { worker, asked: [] };
    worker.on('message', (results: FileResult[]) => thread.asked.shift()?.resolve(results));
    worker.on('error', (error) => {
      for (const { reject } of thread.asked.splice(0)) reject(error);
    });
    this.#threads.push(thread);
    return thread;
  }
}
