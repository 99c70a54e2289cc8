import type { BeginEntry } from '../generated/journal.js';
import { change, type Store, settle } from './change.js';
import { failure } from './conversion.js';
import { digestOf } from './digest.js';
import { exactlyOnce } from './exactly-once.js';
import { fileStore } from './file-store.js';
import { emptyResult, type FileResult, type FolderTask, failed } from './folder-task.js';
import type { DomainResult } from './item.js';
import type { Journal } from './journal.js';
import { type Converter, openConverter } from './pool.js';
import { type Found, findXml } from './walk.js';
import { inOrder } from './window.js';

/** A folder of domains to convert. */
export interface FolderRun {
  readonly task: FolderTask;
  readonly jobs: number;
  /** The journal; undefined for a dry run. */
  readonly journal: Journal | undefined;
  /** The paths that an earlier part of this run has settled. */
  readonly settled: ReadonlySet<string>;
  /** The changes that an earlier part of this run began and did not record as done, by path. */
  readonly inFlight: ReadonlyMap<string, BeginEntry>;
  /** Whether each thread gets only one file at a time, so that few files are in progress when one fails. */
  readonly failFast: boolean;
  /** Ends the run after the files in progress. */
  readonly signal: AbortSignal;
}

/** The number of files in progress per thread: enough that no thread waits for the disk, few enough to stop soon. */
const FILES_PER_THREAD = 16;

/** Returns how many files to have in progress. */
export function filesInProgress({ jobs, failFast }: Pick<FolderRun, 'jobs' | 'failFast'>): number {
  return failFast ? jobs : FILES_PER_THREAD * jobs;
}

/**
 * Converts the files *.xml of a folder, in the order of their names, and yields one result for each.
 * @throws EnvironmentError if the folder cannot be read or the journal cannot be written; `run-incomplete`
 */
export async function* convertFolder(run: FolderRun): AsyncGenerator<DomainResult> {
  const { task, jobs, signal } = run;
  await using converter = openConverter(task, jobs);
  const width = filesInProgress(run);
  const one = new OneFile(run, converter);
  const convertAll = (files: AsyncIterable<Found>) => inOrder(files, width, (found) => one.convert(found), signal);
  yield* exactlyOnce(findUnsettled(run), ({ path }) => path, convertAll, signal);
}

async function* findUnsettled({ task, settled }: FolderRun): AsyncGenerator<Found> {
  for await (const found of findXml(task.in)) if (!settled.has(found.path)) yield found;
}

/** Converts one file at a time and records its result. */
class OneFile {
  readonly #run: FolderRun;
  readonly #converter: Converter;
  readonly #store: Store;

  constructor(run: FolderRun, converter: Converter) {
    this.#run = run;
    this.#converter = converter;
    this.#store = fileStore(run.task.in);
  }

  async convert(found: Found): Promise<DomainResult> {
    try {
      return await this.#attempt(found);
    } catch (error) {
      return await settle(this.#run.journal, this.#item(failed(emptyResult(found.path), failure(error))));
    }
  }

  async #attempt({ path, link, special, unreadable }: Found): Promise<DomainResult> {
    const { journal } = this.#run;
    if (unreadable) return await settle(journal, this.#item(failed(emptyResult(path), unreadable)));
    const why = link ? 'a symbolic link' : special ? 'not a regular file' : undefined;
    if (why) return await settle(journal, this.#item({ ...emptyResult(path), verdict: 'skipped', why }));
    const before = await this.#changedBefore(path);
    if (before) return before;
    const result = await this.#converter.convert(path);
    if (!journal || !result.pending) return await settle(journal, this.#item(result));
    const remarks = await change(this.#store, journal, result.pending, () => false);
    return this.#item({ ...result, verdict: 'converted', diagnostics: [...result.diagnostics, ...remarks] });
  }

  /** Returns the result for a file that this run changed just before it was interrupted; undefined for any other file. */
  async #changedBefore(path: string): Promise<DomainResult | undefined> {
    const entry = this.#run.inFlight.get(path);
    if (!entry) return undefined;
    const present = await this.#store.read(path);
    if (present === undefined || digestOf(present) !== entry.after) return undefined;
    await this.#run.journal?.append({ event: 'done', id: path, stored: entry.after });
    return this.#item({ ...emptyResult(path), name: entry.name, verdict: 'converted' });
  }

  #item({ path, pending: _, ...rest }: FileResult): DomainResult {
    return { ...rest, id: path, file: this.#store.fileOf?.(path), running: false };
  }
}
