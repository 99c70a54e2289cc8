import { runIncomplete } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import type { Entry } from '../generated/journal.js';
import type { DomainEntry } from '../libvirt/connection.js';
import { type Batch, headerOf } from './batch.js';
import { type History, readHistory } from './history.js';
import type { Tally } from './item.js';
import { Journal } from './journal.js';
import { removeLeftovers } from './leftovers.js';
import type { RunFolder, State } from './state.js';

type Listed = Pick<DomainEntry, 'uuid' | 'name'>;

/** A run that is written down as it goes. */
export class OpenRun implements AsyncDisposable {
  #kept = true;

  private constructor(
    readonly run: RunFolder,
    readonly journal: Journal,
    /** What an earlier part of it did. */
    readonly history: History | undefined,
  ) {}

  /**
   * A new run.
   * @param domains which it is to look at, so that it looks at the same when it is resumed; none for a folder
   * @throws OutsideError `state-unwritable`
   */
  static async create(state: State, batch: Batch, domains: readonly Listed[] = []): Promise<OpenRun> {
    const listed = domains.map(({ uuid, name }): Entry => ({ event: 'listed', id: uuid, name }));
    const { run, journal } = await state.create([headerOf(batch), ...listed], batch.host);
    return new OpenRun(run, journal, undefined);
  }

  /** Goes on with a run: after what is whole in its journal. @throws OutsideError `journal-invalid`, `state-unwritable` */
  static async reopen(run: RunFolder): Promise<{ readonly open: OpenRun; readonly history: History }> {
    const history = await readHistory(run);
    await removeLeftovers(run.path);
    return { open: new OpenRun(run, Journal.reopen(run.journal, history.size), history), history };
  }

  /** Whether the run has something to roll back or to resume. */
  get kept(): boolean {
    return this.#kept;
  }

  /**
   * Ends the run, if the journal has the result of every domain. A run that changed nothing and has nothing to resume is
   * removed.
   * @returns whether it ended; otherwise it is left to be resumed
   * @throws OutsideError `run-incomplete` where the journal does not agree with the results
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
