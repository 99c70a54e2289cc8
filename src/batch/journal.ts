import { closeSync, createReadStream, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { journalInvalid, stateUnwritable } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import type { Entry } from '../generated/journal.js';
import { validate } from '../generated/journal.validate.js';
import { toEnvironmentError, wrapIoError } from './wrap-io-error.js';

const LINE_END = 0x0a;

/**
 * The journal of a run. Every step is recorded before it is done, as one line of JSON (schemas/journal.schema.json).
 * Entries that arrive while the disk is busy are written together.
 */
export class Journal {
  readonly #file: string;
  readonly #fd: number;
  /** The size of the complete lines. If the disk is full, the incomplete line after them is cut off. */
  #size: number;
  readonly #counts = { begun: 0, closed: 0, lost: 0 };
  #waiting: { readonly entry: Entry; readonly sync: boolean; settle(error?: unknown): void }[] = [];
  #writing = false;

  private constructor(file: string, fd: number, size: number) {
    this.#file = file;
    this.#fd = fd;
    this.#size = size;
  }

  /** Creates a journal that only its owner can read. @throws EnvironmentError `state-unwritable` */
  static create(file: string): Journal {
    return wrapIoError(stateUnwritable, file, () => new Journal(file, openSync(file, 'wx', 0o600), 0));
  }

  /**
   * Reopens a journal for appending, and cuts off an incomplete last line, left by a process that died.
   * @param size the size of the complete lines, from `readJournal`
   * @throws EnvironmentError `state-unwritable`
   */
  static reopen(file: string, size: number): Journal {
    return wrapIoError(stateUnwritable, file, () => {
      const fd = openSync(file, 'r+');
      ftruncateSync(fd, size);
      return new Journal(file, fd, size);
    });
  }

  /**
   * Appends an entry. The promise resolves when the entry is on disk; without `sync`, when it has been passed to the
   * kernel and so survives this process.
   * @throws EnvironmentError `state-unwritable`; the journal is unchanged then
   */
  append(entry: Entry, { sync = true } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ entry, sync, settle });
      if (!this.#writing) void this.#write();
    });
  }

  /**
   * The number of entries since the journal was opened: changes that began (`begun`), domains that are done or settled
   * (`closed`), and entries that could not be written (`lost`).
   */
  get counts(): { readonly begun: number; readonly closed: number; readonly lost: number } {
    return this.#counts;
  }

  /** Waits until all appended entries are settled, and closes the file. */
  async close(): Promise<void> {
    while (this.#writing) await new Promise((resolve) => setImmediate(resolve));
    closeSync(this.#fd);
  }

  async #write(): Promise<void> {
    this.#writing = true;
    // Entries appended in this turn of the event loop are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      let failure: unknown;
      try {
        this.#put(Buffer.from(batch.map(({ entry }) => `${JSON.stringify(entry)}\n`).join('')));
        if (batch.some(({ sync }) => sync)) await this.#sync();
        for (const { entry } of batch) this.#count(entry);
      } catch (error) {
        failure = toEnvironmentError(stateUnwritable, this.#file, error);
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

  /** Writes all of the lines or nothing. */
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
 * Yields the entries of a journal in order, each with the size of the complete lines so far, in bytes. A last line
 * without a line end is ignored: the process died while writing it.
 * @throws EnvironmentError `journal-invalid` for any other line that is not an entry; `file-unreadable`
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
    throw toEnvironmentError(fileUnreadable, file, error);
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
