import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runUnknown, stateUnwritable } from '../diagnostics/batch.js';
import { InputError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import type { Entry, RunEntry } from '../generated/journal.js';
import type { Host } from '../host/host.js';
import { readTopology, serializeTopology } from '../host/snapshot.js';
import { openFolder } from '../io/folder.js';
import { RecentFolder } from '../io/recent-folder.js';
import { replaceIn } from '../io/replace.js';
import { Journal, readJournal } from './journal.js';
import { type Lock, type LockOptions, takeLock } from './lock.js';
import { wrapIoError, wrapIoErrorAsync } from './wrap-io-error.js';

/** The name of a run: its number, which orders the runs even if the clock was wrong, and its start time in UTC. */
const RUN_NAME = /^(\d{4,})-\d{8}T\d{6}Z$/;

/** The prefix of the folder of a run that is being created or removed. */
const UNFINISHED = '.new-';

/** A run that has just begun. */
export interface NewRun {
  readonly run: RunFolder;
  readonly journal: Journal;
}

/** The folder of a run: its journal, the host that it is for, and the former XML of every domain that it changed. */
export class RunFolder {
  readonly #folders = new RecentFolder(openFolder);

  constructor(readonly path: string) {}

  /** Returns the name of the run: its folder's name. */
  get id(): string {
    return basename(this.path);
  }

  get journal(): string {
    return join(this.path, 'journal.jsonl');
  }

  /** Returns the path of a domain's former XML. @param backup its name in the journal */
  file(backup: string): string {
    return join(this.path, backup);
  }

  /** Stores a domain's former XML; it is on the disk when the promise resolves. @throws EnvironmentError `state-unwritable` */
  async keep(backup: string, content: string | Uint8Array): Promise<void> {
    const file = this.file(backup);
    await wrapIoErrorAsync(stateUnwritable, file, async () => {
      using folder = this.#folders.of(file);
      await replaceIn(folder, file, content, { mode: 0o600 });
    });
  }

  /** Returns a domain's former XML, byte for byte. @throws EnvironmentError `file-unreadable` */
  backup(backup: string): Buffer {
    const file = this.file(backup);
    return wrapIoError(fileUnreadable, file, () => readFileSync(file));
  }

  /** Returns the host that the run is for. @throws EnvironmentError `file-unreadable` */
  host(): Host {
    const file = this.file('host.json');
    return readTopology(
      wrapIoError(fileUnreadable, file, () => readFileSync(file, 'utf8')),
      file,
    );
  }

  /** Yields the entries of its journal. @throws EnvironmentError `journal-invalid` */
  async *entries(): AsyncGenerator<Entry> {
    for await (const { entry } of readJournal(this.journal)) yield entry;
  }

  /** Removes the run and its backups. If interrupted, it no longer counts as a run, and the next run removes the rest. */
  remove(): void {
    const unfinished = join(dirname(this.path), `${UNFINISHED}${this.id}`);
    wrapIoError(stateUnwritable, this.path, () => {
      renameSync(this.path, unfinished);
      rmSync(unfinished, { recursive: true });
    });
  }
}

/** The folder that contains all runs. Their files contain passwords, so only its owner can read it. */
export class State {
  constructor(readonly folder: string) {}

  /**
   * Locks the folder against other runs until the lock is released or this process ends.
   * @throws EnvironmentError `state-locked`
   */
  lock(options?: LockOptions): Promise<Lock> {
    this.#make(join(this.folder, 'runs'));
    return takeLock(join(this.folder, 'lock'), options);
  }

  /**
   * Creates a run with its first entries. If the process is killed, the run exists with all of them or not at all.
   * @throws EnvironmentError `state-unwritable`
   */
  async create(entries: readonly [RunEntry, ...Entry[]], host: Host | undefined): Promise<NewRun> {
    const run = this.#newRun(entries[0].at);
    const unfinished = this.#folderOf(`${UNFINISHED}${run.id}`);
    this.#make(join(unfinished.path, 'backup'));
    try {
      if (host) await unfinished.keep('host.json', serializeTopology(host));
      const journal = Journal.create(unfinished.journal);
      await Promise.all(entries.map((entry) => journal.append(entry)));
      wrapIoError(stateUnwritable, run.path, () => renameSync(unfinished.path, run.path));
      return { run, journal };
    } catch (error) {
      rmSync(unfinished.path, { recursive: true, force: true });
      throw error;
    }
  }

  /** Returns the runs, the oldest first. @throws EnvironmentError `file-unreadable` */
  runs(): RunFolder[] {
    const folder = join(this.folder, 'runs');
    const isThere = (file: string) => statSync(file, { throwIfNoEntry: false }) !== undefined;
    return wrapIoError(fileUnreadable, folder, () =>
      (isThere(folder) ? readdirSync(folder) : []).filter(
        (name) => RUN_NAME.test(name) && isThere(join(folder, name, 'journal.jsonl')),
      ),
    )
      .sort((a, b) => numberOf(a) - numberOf(b))
      .map((name) => this.#folderOf(name));
  }

  /** Checks that there is a run. Creates nothing. @throws InputError `run-unknown` if there is none */
  requireRuns(): void {
    if (this.runs().length > 0) return;
    throw new InputError(runUnknown.none({ folder: this.folder }));
  }

  /** Returns the run with a name. @throws InputError `run-unknown` */
  run(name: string): RunFolder {
    const found = this.runs().find((run) => run.id === name);
    if (found) return found;
    throw new InputError(runUnknown.named({ run: name, folder: this.folder }));
  }

  /**
   * Chooses the name of a new run. Removes the incomplete folders of processes that were killed while they created or
   * removed a run. Needs the lock.
   */
  #newRun(at: string): RunFolder {
    const folder = join(this.folder, 'runs');
    this.#make(folder);
    const present = wrapIoError(stateUnwritable, folder, () => readdirSync(folder));
    for (const name of present) {
      if (name.startsWith(UNFINISHED)) rmSync(join(folder, name), { recursive: true, force: true });
    }
    const number = 1 + Math.max(0, ...present.map(numberOf));
    const time = at.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '');
    return this.#folderOf(`${String(number).padStart(4, '0')}-${time}`);
  }

  #folderOf(run: string): RunFolder {
    return new RunFolder(join(this.folder, 'runs', run));
  }

  #make(folder: string): void {
    wrapIoError(stateUnwritable, folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  }
}

/** Returns the number of a run; 0 for a name that is not the name of a run. */
function numberOf(name: string): number {
  return Number(RUN_NAME.exec(name)?.[1] ?? 0);
}
