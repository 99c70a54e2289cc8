import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { printable } from '../../escape.js';
import { say } from '../io/terminal.js';

/**
 * The log of the hook: standard error, which libvirt includes in its error message if the start is refused, and a file
 * that only its owner can read.
 */
export class HookLog {
  readonly #file: string | undefined;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Writes a line per message. Errors are ignored: a log must not prevent a guest from starting. */
  write(words: readonly string[]): void {
    const lines = words.map(printable);
    say(lines.map((line) => `${line}\n`).join(''));
    const fd = this.open();
    if (fd === undefined) return;
    const time = new Date().toISOString();
    try {
      // A single write, so that lines of concurrent hooks do not mix.
      writeSync(fd, lines.map((line) => `${time} ${line}\n`).join(''));
    } catch {
      // Ignored, see above.
    } finally {
      closeSync(fd);
    }
  }

  /** Opens the file for appending, without following a symbolic link; returns undefined if that fails. */
  open(): number | undefined {
    if (this.#file === undefined || this.#file === '') return undefined;
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
    try {
      return openSync(this.#file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    } catch {
      return undefined;
    }
  }
}
