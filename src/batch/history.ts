import { journalInvalid, runUnknown } from '../diagnostics/batch.js';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import type { BeginEntry, RunEntry, SettledEntry } from '../generated/journal.js';
import type { Totals, Verdict } from './item.js';
import { readJournal } from './journal.js';
import type { RunFolder, State } from './state.js';

/** A change to a domain that was begun, and its state. */
export interface PastChange {
  readonly begin: BeginEntry;
  /** The digest of the stored XML; undefined if the journal does not record that the change was done. */
  readonly stored: string | undefined;
  /** Whether its rollback was begun. */
  readonly undoing: boolean;
  /** Whether it was rolled back. */
  readonly undone: boolean;
}

/** The content of a run's journal. */
export interface History {
  readonly header: RunEntry;
  /** The names of the domains of the run, by id; empty for a folder, which is searched again. */
  readonly listed: ReadonlyMap<string, string>;
  /** The last change of each domain, in the order in which they were begun. */
  readonly changes: ReadonlyMap<string, PastChange>;
  readonly settled: ReadonlyMap<string, SettledEntry['verdict']>;
  /** When every domain had been processed; undefined if the run was interrupted. */
  readonly ended: string | undefined;
  /** The size of the journal's complete lines, in bytes. */
  readonly size: number;
}

/** Reads the journal of a run. @throws EnvironmentError `journal-invalid` */
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

/** Returns the newest run with something left to do. @throws InputError `run-unknown` if there is none */
export async function newestUnfinished(state: State): Promise<RunFolder> {
  for (const run of state.runs().reverse()) if (isUnfinished(await readHistory(run))) return run;
  throw new InputError(runUnknown.unfinished({ folder: state.folder }));
}

/**
 * Returns the newest run that changed something, even if it was already rolled back: a second rollback does nothing.
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

/** Returns the domains that need not be processed again: changed, rolled back, or settled without failing. */
export function settledIds({ changes, settled }: History): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [id, { stored, undone }] of changes) if (stored !== undefined || undone) ids.add(id);
  for (const [id, verdict] of settled) if (verdict !== 'failed') ids.add(id);
  return ids;
}

/** Returns the number of domains per verdict so far, without those that are processed again. */
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

/** Returns the changes that were begun but not recorded as done, by id. */
export function inFlight({ changes }: History): ReadonlyMap<string, BeginEntry> {
  const pending = [...changes].filter(([, { stored }]) => stored === undefined);
  return new Map(pending.map(([id, { begin }]) => [id, begin]));
}
