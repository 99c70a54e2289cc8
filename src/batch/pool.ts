import { Worker } from 'node:worker_threads';
import { runIncomplete } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { type FileResult, type FolderTask, FolderWorker } from './folder-task.js';

/** Converts files, in this thread or in others. */
export interface Converter extends AsyncDisposable {
  /** @param path below the folder; unique among those that have no result yet */
  convert(path: string): Promise<FileResult>;
}

/**
 * Returns a converter for the files of a task.
 * @param jobs the number of threads; with 1 this thread does the work
 * @throws InputError, EnvironmentError for a problem with the hosts
 */
export function openConverter(task: FolderTask, jobs: number): Converter {
  // Checks the hosts before any thread starts.
  const worker = new FolderWorker(task);
  if (jobs > 1) return new WorkerPool(task, jobs);
  return { convert: (path) => worker.convert(path), [Symbol.asyncDispose]: async () => undefined };
}

/** Up to a fixed number of threads. Another thread starts when a file arrives while all others are busy. */
class WorkerPool implements Converter {
  readonly #threads: Thread[] = [];
  readonly #task: FolderTask;
  readonly #size: number;

  constructor(task: FolderTask, size: number) {
    this.#task = task;
    this.#size = size;
  }

  convert(path: string): Promise<FileResult> {
    const [idlest] = this.#threads.toSorted((a, b) => a.pending - b.pending);
    if (idlest && (idlest.pending === 0 || this.#threads.length >= this.#size)) return idlest.convert(path);
    const thread = new Thread(this.#task);
    this.#threads.push(thread);
    return thread.convert(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }
}

/** The number of files per message: fewer messages cost less time, but a thread must not wait for the next one. */
const FILES_PER_MESSAGE = 8;

/** A worker thread. It works on several files at a time, so its results arrive in any order. Each contains its path. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<string, { resolve(result: FileResult): void; reject(error: unknown): void }>();
  #unsent: string[] = [];
  #ended: Error | undefined;

  constructor(task: FolderTask) {
    // bin/build puts batch-worker.ts beside the program that contains this code.
    this.#worker = new Worker(new URL('./batch-worker.cjs', import.meta.url), { workerData: task });
    this.#worker.on('message', (results: readonly FileResult[]) => {
      for (const result of results) this.#settle(result);
    });
    this.#worker.on('error', (error) => this.#fail(error.message));
    this.#worker.on('exit', (code) => this.#fail(`it ended with exit code ${code}`));
  }

  /** How many files have no result yet. */
  get pending(): number {
    return this.#waiting.size;
  }

  convert(path: string): Promise<FileResult> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      if (this.#waiting.has(path)) return reject(new EnvironmentError(runIncomplete.busy({ path })));
      this.#waiting.set(path, { resolve, reject });
      if (this.#unsent.push(path) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    while (this.#unsent.length > 0) this.#worker.postMessage(this.#unsent.splice(0, FILES_PER_MESSAGE));
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(result: FileResult): void {
    const waiting = this.#waiting.get(result.path);
    if (!this.#waiting.delete(result.path)) {
      this.#fail(`it returned a result for ${result.path}, which it was not given`);
    }
    waiting?.resolve(result);
  }

  #fail(why: string): void {
    this.#ended ??= new EnvironmentError(runIncomplete.thread({ error: why }));
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
