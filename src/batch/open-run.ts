import type { Entry } from '../generated/journal.js';
import { type History, readHistory } from './history.js';
import type { Tally } from './item.js';
import { Journal } from './journal.js';
import { type Batch, headerOf } from './run.js';
import type { RunFolder, State } from './state.js';

/** A run that is written down as it goes. */
export class OpenRun implements AsyncDisposable {
  private constructor(
    readonly run: RunFolder,
    readonly journal: Journal,
    /** What an earlier part of it did. */
    readonly history: History | undefined,
  ) {}

  /** A new run. @throws OutsideError `state-unwritable` */
  static async create(state: State, batch: Batch): Promise<OpenRun> {
    const { run, journal } = await state.create(headerOf(batch), batch.host);
    return new OpenRun(run, journal, undefined);
  }

  /** Goes on with a run: after what is whole in its journal. @throws OutsideError `journal-invalid`, `state-unwritable` */
  static async reopen(run: RunFolder): Promise<OpenRun & { readonly history: History }> {
    const history = await readHistory(run);
    return Object.assign(new OpenRun(run, Journal.reopen(run.journal, history.size), history), { history });
  }

  /** Writes down which domains it is to look at, so that a resumed run looks at the same. */
  async list(domains: readonly { readonly uuid: string; readonly name: string }[]): Promise<void> {
    const entries: Entry[] = domains.map(({ uuid, name }) => ({ event: 'listed', id: uuid, name }));
    await Promise.all(entries.map((entry) => this.journal.append(entry)));
  }

  /** Every domain was looked at. A run in which nothing happened that could be taken back or gone on with is not kept. */
  async end(tally: Tally): Promise<void> {
    await this.journal.append({ event: 'end', at: new Date().toISOString() });
    if (!this.history && !tally.changed && (tally.totals.failed ?? 0) === 0) this.run.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal.close();
  }
}
