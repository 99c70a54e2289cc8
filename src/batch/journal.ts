import { closeSync, createReadStream, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { journalInvalid, stateUnwritable } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import type { Entry } from '../generated/journal.js';
import { validate } from '../generated/journal.validate.js';
import { asOutside, wrapIoError } from './outside.js';

const LINE_END = 0x0a;

/**
 * Where a run writes down what it is about to do before it does it, a line of JSON each (schemas/journal.schema.json).
 * Lines that are asked for while the disk is busy go to it together.
 */
export class Journal {
  readonly #file: string;
  readonly #fd: number;
  /** How much of the file is whole lines: what a full disk leaves of the next is cut off. */
  #size: number;
  readonly #counts = { begun: 0, closed: 0, lost: 0 };
  #waiting: { readonly entry: Entry; readonly sync: boolean; settle(error?: unknown): void }[] = [];
  #writing = false;

  private constructor(file: string, fd: number, size: number) {
    this.#file = file;
    this.#fd = fd;
    this.#size = size;
  }

  /** A new journal, for its owner alone. @throws OutsideError `state-unwritable` */
  static create(file: string): Journal {
    return wrapIoError(stateUnwritable, file, () => new Journal(file, openSync(file, 'wx', 0o600), 0));
  }

  /**
   * Goes on with a journal; a last line that was torn when its process died is cut off.
   * @param size what `readJournal` found whole lines to be
   * @throws OutsideError `state-unwritable`
   */
  static reopen(file: string, size: number): Journal {
    return wrapIoError(stateUnwritable, file, () => {
      const fd = openSync(file, 'r+');
      ftruncateSync(fd, size);
      return new Journal(file, fd, size);
    });
  }

  /**
   * Adds an entry.
   * @returns when it is on the disk; without `sync`, when it outlives this process
   * @throws OutsideError `state-unwritable`; the journal is then as it was before
   */
  append(entry: Entry, { sync = true } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ entry, sync, settle });
      if (!this.#writing) void this.#write();
    });
  }

  /**
   * Entries since the journal was opened: changes that began, domains that are done or settled, and entries that could not
   * be written.
   */
  get counts(): { readonly begun: number; readonly closed: number; readonly lost: number } {
    return this.#counts;
  }

  /** Closes the file; what was appended before has been settled by then. */
  async close(): Promise<void> {
    while (this.#writing) await new Promise((resolve) => setImmediate(resolve));
    closeSync(this.#fd);
  }

  async #write(): Promise<void> {
    this.#writing = true;
    // Whoever asks in this turn of the event loop goes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      let failure: unknown;
      try {
        this.#put(Buffer.from(batch.map(({ entry }) => `${JSON.stringify(entry)}\n`).join('')));
        if (batch.some(({ sync }) => sync)) await this.#sync();
        for (const { entry } of batch) this.#count(entry);
      } catch (error) {
        failure = asOutside(stateUnwritable, this.#file, error);
        this.#counts.lost += batch.length;
      }
      for (const { settle } of batch) settle(failure);
    }
    this.#writing = false;
  }

  #count({ event }: Entry): void {
    if (event === 'begin') this.#counts.begun++;
    if (event === 'done' || event === 'settled') this.#counts.closed++;
  }

  /** Writes whole lines or nothing. */
  #put(lines: Buffer): void {
    try {
      for (let done = 0; done < lines.length; ) {
        done += writeSync(this.#fd, lines, done, lines.length - done, this.#size + done);
      }
      this.#size += lines.length;
    } catch (error) {
      ftruncateSync(this.#fd, this.#size);
      throw error;
    }
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())));
  }
}

/**
 * The entries of a journal in order, one at a time, and how many bytes of it are whole lines by then. A last line without
 * end is not an entry: its process died while writing it.
 * @throws OutsideError `journal-invalid` for any other line that is none; `file-unreadable`
 */
export async function* readJournal(file: string): AsyncGenerator<{ readonly entry: Entry; readonly size: number }> {
  let rest = Buffer.alloc(0);
  let size = 0;
  let line = 0;
  try {
    for await (const chunk of createReadStream(file)) {
      const bytes = Buffer.concat([rest, chunk as Buffer]);
      let start = 0;
      for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
        line++;
        size += end + 1 - start;
        yield { entry: readEntry(bytes.toString('utf8', start, end), file, line), size };
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
  } catch (error) {
    throw asOutside(fileUnreadable, file, error);
  }
}

function readEntry(text: string, file: string, line: number): Entry {
  try {
    const entry: unknown = JSON.parse(text);
    if (validate(entry)) return entry;
  } catch {
    // Reported below.
  }
  throw new EnvironmentError(journalInvalid.entry({ file, location: { line, column: 1 } }));
}
