import { runIncomplete } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import type { Entry } from '../generated/journal.js';
import type { DomainEntry } from '../libvirt/connection.js';
import { type Batch, headerOf } from './batch.js';
import { type History, readHistory } from './history.js';
import type { Tally } from './item.js';
import { Journal } from './journal.js';
import { removeOrphanedFiles } from './orphaned-files.js';
import type { RunFolder, State } from './state.js';

type Listed = Pick<DomainEntry, 'uuid' | 'name'>;

/** A run with its open journal. */
export class OpenRun implements AsyncDisposable {
  #kept = true;

  private constructor(
    readonly run: RunFolder,
    readonly journal: Journal,
    /** The history of the earlier part of the run; undefined for a new run. */
    readonly history: History | undefined,
  ) {}

  /**
   * Creates a run.
   * @param domains the domains to convert, recorded so that a resumed run converts the same ones; empty for a folder
   * @throws EnvironmentError `state-unwritable`
   */
  static async create(state: State, batch: Batch, domains: readonly Listed[] = []): Promise<OpenRun> {
    const listed = domains.map(({ uuid, name }): Entry => ({ event: 'listed', id: uuid, name }));
    const { run, journal } = await state.create([headerOf(batch), ...listed], batch.host);
    return new OpenRun(run, journal, undefined);
  }

  /**
   * Reopens a run after the last complete line of its journal.
   * @throws EnvironmentError `journal-invalid`, `state-unwritable`
   */
  static async reopen(run: RunFolder): Promise<{ readonly open: OpenRun; readonly history: History }> {
    const history = await readHistory(run);
    await removeOrphanedFiles(run.path);
    return { open: new OpenRun(run, Journal.reopen(run.journal, history.size), history), history };
  }

  /** Whether the run has something to roll back or to resume. */
  get kept(): boolean {
    return this.#kept;
  }

  /**
   * Ends the run, if the journal has the result of every domain. A run that changed nothing and has nothing to resume
   * is removed.
   * @returns whether it ended; if not, it must be resumed
   * @throws EnvironmentError `run-incomplete` if the journal does not agree with the results
   */
  async end(tally: Tally): Promise<boolean> {
    const { begun, closed, lost } = this.journal.counts;
    if (lost > 0) return false;
    if (closed !== tally.added)
      throw new EnvironmentError(runIncomplete.journal({ results: tally.added, recorded: closed }));
    await this.journal.append({ event: 'end', at: new Date().toISOString() });
    if (this.history || begun > 0 || tally.changed || (tally.totals.failed ?? 0) > 0) return true;
    this.run.remove();
    this.#kept = false;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal.close();
  }
}
