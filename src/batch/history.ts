import { journalInvalid, runUnknown } from '../diagnostics/batch.js';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import type { BeginEntry, RunEntry, SettledEntry } from '../generated/journal.js';
import type { Totals, Verdict } from './item.js';
import { readJournal } from './journal.js';
import type { RunFolder, State } from './state.js';

/** What was done to a domain, or begun. */
export interface PastChange {
  readonly begin: BeginEntry;
  /** The digest of what was stored; undefined: whether it was done is not written down. */
  readonly stored: string | undefined;
  /** Whether taking it back was begun. */
  readonly undoing: boolean;
  /** Whether it was taken back. */
  readonly undone: boolean;
}

/** What the journal of a run says. */
export interface History {
  readonly header: RunEntry;
  /** The domains that it is to look at, by id; none for a folder, which is looked through again. */
  readonly listed: ReadonlyMap<string, string>;
  /** The last that was begun with each domain, in the order in which they were begun. */
  readonly changes: ReadonlyMap<string, PastChange>;
  readonly settled: ReadonlyMap<string, SettledEntry['verdict']>;
  /** When every domain had been processed; undefined: the run was interrupted. */
  readonly ended: string | undefined;
  /** Bytes of the journal that are whole lines. */
  readonly size: number;
}

/** @throws OutsideError `journal-invalid` */
export async function readHistory(run: RunFolder): Promise<History> {
  let header: RunEntry | undefined;
  let ended: string | undefined;
  let size = 0;
  const listed = new Map<string, string>();
  const changes = new Map<string, PastChange>();
  const settled = new Map<string, SettledEntry['verdict']>();
  for await (const { entry, size: whole } of readJournal(run.journal)) {
    size = whole;
    if (entry.event === 'run') header = entry;
    else if (entry.event === 'listed') listed.set(entry.id, entry.name);
    else if (entry.event === 'begin') {
      changes.set(entry.id, { begin: entry, stored: undefined, undoing: false, undone: false });
    } else if (entry.event === 'settled') settled.set(entry.id, entry.verdict);
    else if (entry.event === 'end') ended = entry.at;
    else {
      const change = changes.get(entry.id);
      if (!change) continue;
      if (entry.event === 'done') changes.set(entry.id, { ...change, stored: entry.stored });
      else changes.set(entry.id, { ...change, undoing: true, undone: entry.event === 'undone' });
    }
  }
  if (!header) {
    throw new EnvironmentError(journalInvalid.header({ file: run.journal }));
  }
  return { header, listed, changes, settled, ended, size };
}

/** The newest run with something left to do. @throws InputError `run-unknown` if there is none */
export async function newestUnfinished(state: State): Promise<RunFolder> {
  for (const run of state.runs().reverse()) if (isUnfinished(await readHistory(run))) return run;
  throw new InputError(runUnknown.unfinished({ folder: state.folder }));
}

/**
 * The newest run that changed something, taken back already or not: to take it back twice is to do nothing.
 * @throws InputError `run-unknown` if none did
 */
export async function newestThatChanged(state: State): Promise<RunFolder> {
  for (const run of state.runs().reverse()) {
    const { header, changes } = await readHistory(run);
    const elsewhere = header.source.kind === 'folder' && header.source.out !== null;
    if (elsewhere || changes.size > 0) return run;
  }
  throw new InputError(runUnknown.changed({ folder: state.folder }));
}

/** Whether a run was interrupted or has domains that failed; false for a run whose rollback has begun. */
function isUnfinished(history: History): boolean {
  const { ended, changes, listed, settled } = history;
  const all = [...changes.values()];
  if (all.some(({ undoing }) => undoing)) return false;
  const done = settledIds(history);
  const left = [...listed.keys(), ...changes.keys(), ...settled.keys()].some((id) => !done.has(id));
  return ended === undefined || left;
}

/** The domains that need not be processed again: changed, rolled back, or settled without failing. */
export function settledIds({ changes, settled }: History): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [id, { stored, undone }] of changes) if (stored !== undefined || undone) ids.add(id);
  for (const [id, verdict] of settled) if (verdict !== 'failed') ids.add(id);
  return ids;
}

/** The number of domains per verdict so far, without those that are processed again. */
export function totalsOf({ changes, settled }: History): Totals {
  const totals = new Map<Verdict, number>();
  const count = (verdict: Verdict) => totals.set(verdict, (totals.get(verdict) ?? 0) + 1);
  for (const { stored, undone } of changes.values()) {
    if (undone) count('restored');
    else if (stored !== undefined) count('converted');
  }
  for (const [id, verdict] of settled) {
    const change = changes.get(id);
    if (verdict !== 'failed' && change?.stored === undefined && !change?.undone) count(verdict);
  }
  return Object.fromEntries(totals);
}

/** What was begun and not written down as done. */
export function inFlight({ changes }: History): ReadonlyMap<string, BeginEntry> {
  const pending = [...changes].filter(([, { stored }]) => stored === undefined);
  return new Map(pending.map(([id, { begin }]) => [id, begin]));
}
