import { backupDamaged, readBackDiffers } from '../diagnostics/batch.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { domainEdited } from '../diagnostics/libvirt.js';
import { domainGoneError, type Store } from './change.js';
import { failure } from './conversion.js';
import { digestOf } from './digest.js';
import { exactlyOnce } from './exactly-once.js';
import type { PastChange } from './history.js';
import { type DomainResult, type Verdict, whyOf } from './item.js';
import type { Journal } from './journal.js';
import type { RunFolder } from './state.js';
import { inOrder } from './window.js';

/** A run to roll back. */
export interface Rollback {
  readonly run: RunFolder;
  readonly journal: Journal;
  readonly changes: readonly PastChange[];
  /** One store per operation that runs in parallel. */
  readonly stores: readonly Store[];
  /** Restores domains even if they were edited or removed since. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/** Restores the former XML of each domain of a run, byte for byte, and yields the result for each. */
export async function* rollBack({
  run,
  journal,
  changes,
  stores,
  force,
  signal,
}: Rollback): AsyncGenerator<DomainResult> {
  const free = [...stores];
  const work = async (past: PastChange): Promise<DomainResult> => {
    const store = free.pop();
    if (!store) throw new TypeError('more at a time than there are stores');
    try {
      return await restore(past, store, run, journal, force);
    } finally {
      free.push(store);
    }
  };
  const restoreAll = (all: AsyncIterable<PastChange>) => inOrder(all, stores.length, work, signal);
  yield* exactlyOnce(changes, ({ begin }) => begin.id, restoreAll, signal);
}

async function restore(
  { begin, stored, undone }: PastChange,
  store: Store,
  run: RunFolder,
  journal: Journal,
  force: boolean,
): Promise<DomainResult> {
  const { id, name, before, after, backup } = begin;
  const item = (verdict: Verdict, diagnostics: readonly Diagnostic[] = []): DomainResult => {
    const why = diagnostics.length > 0 ? whyOf(diagnostics) : undefined;
    return { id, name, file: store.fileOf?.(id), verdict, why, loses: [], running: false, diagnostics };
  };
  try {
    const present = await store.read(id);
    const digest = present && digestOf(present);
    if (digest === before) {
      // The domain was never changed, or a rollback was killed before it recorded `undone`.
      if (!undone) await journal.append({ event: 'undone', id });
      return item('unchanged');
    }
    if (present === undefined && !force) throw domainGoneError();
    if (digest !== after && digest !== stored && !force) {
      return item('refused', [domainEdited.rollback()]);
    }
    const xml = run.backup(backup);
    if (digestOf(xml) !== before) {
      throw new EnvironmentError(backupDamaged({ file: run.file(backup) }));
    }
    await journal.append({ event: 'undo', at: new Date().toISOString(), id });
    // Not validated: libvirt accepted this XML before, even if its current schema does not.
    const written = await store.write(id, xml, false);
    const restored = await store.read(id);
    if (restored === undefined || digestOf(restored) !== before) {
      throw new EnvironmentError(readBackDiffers.restored());
    }
    await journal.append({ event: 'undone', id });
    return item('restored', written);
  } catch (error) {
    return item('failed', failure(error));
  }
}
