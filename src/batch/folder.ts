import { spawn } from 'node:child_process';
import type { BeginEntry, Entry } from '../generated/journal.js';
import { change, type Store } from './change.js';
import { failure } from './convert.js';
import { digestOf } from './digest.js';
import { fileStore } from './file-store.js';
import { bare, type FileResult, type FolderTask } from './folder-task.js';
import type { Item } from './item.js';
import type { Journal } from './journal.js';
import { type Converter, openConverter } from './pool.js';
import { type Found, findXml } from './walk.js';
import { whyOf } from './why.js';
import { inChunks, inOrder } from './window.js';

/** A folder of domains to convert. */
export interface FolderRun {
  readonly task: FolderTask;
  readonly jobs: number;
  /** Where what is done is written down; undefined: nothing is done. */
  readonly journal: Journal | undefined;
  /** What an earlier part of this run has settled, by path. */
  readonly settled: ReadonlySet<string>;
  /** What an earlier part of it had begun, by path. */
  readonly begun: ReadonlyMap<string, BeginEntry>;
  /** Whether files are given out one by one, so that few are in hand when one fails. */
  readonly failFast: boolean;
  /** Ends the run after the files in hand. */
  readonly signal: AbortSignal;
}

/** Files that a thread is given at a time: few enough to stop soon, enough to make little of the asking. */
const CHUNK = 16;

/**
 * Converts the files *.xml of a folder, in the order of their names, and gives what became of each.
 * @throws OutsideError where the folder cannot be read, or nothing can be written down any more
 */
export async function* convertFolder(run: FolderRun): AsyncGenerator<Item> {
  const { task, jobs, failFast, signal } = run;
  const converter = openConverter(task, jobs);
  try {
    const chunks = inChunks(findUnsettled(run), failFast ? 1 : CHUNK);
    const results = inOrder(
      chunks,
      failFast ? jobs : 2 * jobs,
      (chunk) => new ChunkOfFiles(run, converter).convert(chunk),
      signal,
    );
    for await (const items of results) yield* items;
    if (task.out !== undefined) await flush(task.out);
  } finally {
    await converter.close();
  }
}

async function* findUnsettled({ task, settled }: FolderRun): AsyncGenerator<Found> {
  for await (const found of findXml(task.in)) if (!settled.has(found.path)) yield found;
}

/** A few files on their way. */
class ChunkOfFiles {
  readonly #run: FolderRun;
  readonly #converter: Converter;
  readonly #store: Store;

  constructor(run: FolderRun, converter: Converter) {
    this.#run = run;
    this.#converter = converter;
    this.#store = fileStore(run.task.in);
  }

  async convert(chunk: readonly Found[]): Promise<Item[]> {
    const before = await Promise.all(chunk.map((found) => this.#known(found)));
    const unknown = chunk.flatMap(({ path }, i) => (before[i] ? [] : [path]));
    const results = await this.#converter.convert(unknown);
    const converted = await Promise.all(results.map((result) => this.#settle(result)));
    const byId = new Map(converted.map((item) => [item.id, item]));
    return chunk.flatMap(({ path }, i) => before[i] ?? byId.get(path) ?? []);
  }

  /** What can be told without converting: of links, folders that cannot be read, and what was written just before this run was interrupted. */
  async #known({ path, link, unreadable }: Found): Promise<Item | undefined> {
    if (unreadable) {
      const why = whyOf(unreadable);
      return await this.#settle({ ...bare(path), verdict: 'failed', why, diagnostics: unreadable });
    }
    if (link) return await this.#settle({ ...bare(path), verdict: 'skipped', why: 'a symbolic link' });
    const entry = this.#run.begun.get(path);
    if (!entry) return undefined;
    const present = await this.#store.read(path);
    if (present === undefined || digestOf(present) !== entry.after) return undefined;
    await this.#run.journal?.append({ event: 'done', id: path, stored: entry.after });
    return this.#item({ ...bare(path), name: entry.name, verdict: 'converted' });
  }

  /** Does what is left to do for a file, and writes it down. */
  async #settle(result: FileResult): Promise<Item> {
    const { journal } = this.#run;
    if (!journal) return this.#item(result);
    try {
      if (result.pending) {
        const remarks = await change(this.#store, journal, result.pending, () => false);
        return this.#item({ ...result, verdict: 'converted', diagnostics: [...result.diagnostics, ...remarks] });
      }
      await journal.append(settledEntry(result), { sync: false });
      return this.#item(result);
    } catch (error) {
      const diagnostics = failure(error);
      return this.#item({ ...result, verdict: 'failed', why: whyOf(diagnostics), diagnostics, loses: [] });
    }
  }

  #item({ path, pending: _, ...rest }: FileResult): Item {
    return { ...rest, id: path, file: this.#store.fileOf?.(path), running: false };
  }
}

/** Only what is told again by `resume` and `list`: the verdict and why. */
function settledEntry({ path, name, verdict, why }: FileResult): Entry {
  if (verdict === 'convert' || verdict === 'converted' || verdict === 'restored') {
    throw new TypeError(`${verdict} is settled by an entry of its own`);
  }
  return { event: 'settled', id: path, name, verdict, ...(why !== undefined && { why }) };
}

/** Waits until what was written below a folder is on the disk, in one go: sync(1) of coreutils. */
async function flush(folder: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const child = spawn('sync', ['--file-system', '--', folder], { stdio: 'ignore' });
    // A folder that is not there has nothing in it; a system without sync(1) writes it when it likes.
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}
