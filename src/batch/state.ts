import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { diagnostic, InputError } from '../diagnostics.js';
import type { Entry, RunEntry } from '../generated/journal.js';
import type { Host } from '../host/host.js';
import { readTopology, serializeTopology } from '../host/snapshot.js';
import { Journal, readJournal } from './journal.js';
import { type Lock, type LockOptions, takeLock } from './lock.js';
import { outside, outsideLater } from './outside.js';
import { replaceFile } from './replace.js';

/** The name of a run: when it began, in UTC, and a number where others began in that second. */
export type RunId = string & { readonly brand: 'RunId' };

const RUN_ID = /^\d{8}T\d{6}Z(-\d+)?$/;

/** The folder of a run: its journal, the host that it is for, and the XML of before of every domain that it changed. */
export class RunFolder {
  readonly id: RunId;
  readonly path: string;

  constructor(state: string, id: RunId) {
    this.id = id;
    this.path = join(state, 'runs', id);
  }

  get journal(): string {
    return join(this.path, 'journal.jsonl');
  }

  /** Where the XML of before of a domain is. @param backup as the journal names it */
  file(backup: string): string {
    return join(this.path, backup);
  }

  /** Keeps a domain's XML of before, on the disk when it resolves. @throws OutsideError `state-unwritable` */
  async keep(backup: string, content: string | Uint8Array): Promise<void> {
    const file = this.file(backup);
    await outsideLater('state-unwritable', file, () => replaceFile(file, content, { mode: 0o600, sync: true }));
  }

  /** The XML of before of a domain, byte for byte. @throws OutsideError `file-unreadable` */
  backup(backup: string): Buffer {
    const file = this.file(backup);
    return outside('file-unreadable', file, () => readFileSync(file));
  }

  /** The host that the run is for. @throws OutsideError `file-unreadable` */
  host(): Host {
    const file = this.file('host.json');
    return readTopology(
      outside('file-unreadable', file, () => readFileSync(file, 'utf8')),
      file,
    );
  }

  /** The entries of its journal. @throws OutsideError `journal-invalid` */
  async *entries(): AsyncGenerator<Entry> {
    for await (const { entry } of readJournal(this.journal)) yield entry;
  }

  /** Takes the run and all its backups away. */
  remove(): void {
    outside('state-unwritable', this.path, () => rmSync(this.path, { recursive: true }));
  }
}

/** The folder that runs are kept in. What is in it holds passwords, so it is for its owner alone. */
export class State {
  constructor(readonly folder: string) {}

  /** Keeps other runs away until it is released, or this process ends. @throws OutsideError `state-locked` */
  lock(options?: LockOptions): Promise<Lock> {
    this.#make(join(this.folder, 'runs'));
    return takeLock(join(this.folder, 'lock'), options);
  }

  /** A new run with its first entry. @throws OutsideError `state-unwritable` */
  async create(entry: RunEntry, host: Host | undefined): Promise<{ run: RunFolder; journal: Journal }> {
    const run = this.#newRun(entry.at);
    this.#make(join(run.path, 'backup'));
    if (host) await run.keep('host.json', serializeTopology(host));
    const journal = Journal.create(run.journal);
    await journal.append(entry);
    return { run, journal };
  }

  /** The runs, the oldest first. */
  runs(): RunFolder[] {
    const folder = join(this.folder, 'runs');
    if (!statSync(folder, { throwIfNoEntry: false })) return [];
    const names = outside('file-unreadable', folder, () => readdirSync(folder));
    return names
      .filter((name) => RUN_ID.test(name) && statSync(join(folder, name, 'journal.jsonl'), { throwIfNoEntry: false }))
      .sort(new Intl.Collator('en', { numeric: true }).compare)
      .map((name) => new RunFolder(this.folder, name as RunId));
  }

  /** The newest run. @throws InputError `run-unknown` where there is none */
  newest(): RunFolder {
    const run = this.runs().at(-1);
    if (run) return run;
    throw new InputError(diagnostic('run-unknown', `there is no run in ${this.folder}`));
  }

  /** The run of a name. @throws InputError `run-unknown` */
  run(name: string): RunFolder {
    const found = this.runs().find((run) => run.id === name);
    if (found) return found;
    throw new InputError(
      diagnostic('run-unknown', `there is no run ${name} in ${this.folder}`, { hint: 'see vsmmu batch list' }),
    );
  }

  #newRun(at: string): RunFolder {
    const time = at.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '');
    for (let count = 1; ; count++) {
      const run = new RunFolder(this.folder, (count === 1 ? time : `${time}-${count}`) as RunId);
      if (statSync(run.path, { throwIfNoEntry: false })) continue;
      this.#make(run.path);
      return run;
    }
  }

  #make(folder: string): void {
    outside('state-unwritable', folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  }
}
