import type { Entry } from '../generated/journal.js';
import type { DomainEntry } from '../libvirt/connection.js';
import { type History, readHistory } from './history.js';
import type { Tally } from './item.js';
import { Journal } from './journal.js';
import { type Batch, headerOf } from './run.js';
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
    return { open: new OpenRun(run, Journal.reopen(run.journal, history.size), history), history };
  }

  /** Whether there is something in it to take back or to go on with. */
  get kept(): boolean {
    return this.#kept;
  }

  /** Every domain was looked at. A run in which nothing happened that could be taken back or gone on with is not kept. */
  async end(tally: Tally): Promise<void> {
    await this.journal.append({ event: 'end', at: new Date().toISOString() });
    if (this.history || tally.changed || (tally.totals.failed ?? 0) > 0) return;
    this.run.remove();
    this.#kept = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal.close();
  }
}
