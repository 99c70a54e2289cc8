import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describeIoError } from '../io/errors.js';

/** What virsh said to one command. */
export interface Answer {
  readonly output: string;
  /** The lines of its errors, each without `error: `; none where the command succeeded. */
  readonly errors: readonly string[];
}

/** virsh is missing, has ended, or does not answer; the caller may start another. */
export class VirshGone extends Error {
  constructor(
    message: string,
    /**
     * `missing`: there is no such program. `forbidden`: it must not be started. `silent`: it took too long. `ended`: it
     * did, and its last words are the message.
     */
    readonly why: 'missing' | 'forbidden' | 'silent' | 'ended',
  ) {
    super(message);
  }
}

/** Variables of the user's environment that change virsh's output, log or history are removed. */
const UNWANTED = /^(LIBVIRT_DEBUG|LIBVIRT_LOG_|VIRSH_|LANGUAGE$|LC_|LANG$)/;

/**
 * One virsh process, to which commands are given one after the other on its standard input, as a person would type them.
 * libvirt's own protocol is not stable, and one virsh per command would reconnect each time.
 *
 * virsh echoes its prompt and what it reads (readline, libvirt 12.8), does not report a command's success, and runs none
 * of a line that has a fault. So a command stands between two words on its line, and the line after it says a third
 * one on both outputs. They are made of a random number that nothing in a domain can know, and put together by
 * virsh's own quoting, so that the echo of a command does not contain them.
 */
export class Virsh {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #nonce = randomBytes(12).toString('hex');
  #asked = 0;
  #gone: VirshGone | undefined;
  #pending: Pending | undefined;
  #lastWords = '';

  /**
   * @param uri the connection; empty for libvirt's own choice
   * @param held an open file that stays open until it has ended, however we end
   */
  constructor(uri: string, held?: number) {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !UNWANTED.test(name)));
    // A shell of which nothing is left: what it ignores its successor ignores, too, so that Ctrl-C does not end virsh in
    // the middle of a define; we end it.
    const argv = [
      '-c',
      'trap "" INT; exec "$@"',
      'sh',
      'virsh',
      '--quiet',
      ...(uri === '' ? [] : [`--connect=${uri}`]),
    ];
    this.#process = spawn('/bin/sh', argv, {
      stdio: ['pipe', 'pipe', 'pipe', ...(held === undefined ? [] : [held])],
      env: {
        ...environment,
        LC_ALL: 'C.UTF-8',
        TERM: 'dumb',
        INPUTRC: '/dev/null',
        // Our commands must not enter the user's history. A session daemon inherits this variable and needs it.
        ...(!/\/session\b/.test(uri) && { XDG_CACHE_HOME: '/dev/null' }),
      },
    }) as ChildProcessWithoutNullStreams;
    this.#process.on('error', (error) => this.#end(new VirshGone(describeIoError(error), 'ended')));
    this.#process.on('close', (code, signal) => {
      if (code === 126) this.#end(new VirshGone('virsh cannot be started: permission denied', 'forbidden'));
      if (code === 127) this.#end(new VirshGone('virsh is not installed', 'missing'));
      const last = this.#lastWords || (this.#pending?.error.text() ?? '');
      const words = errorLines(last).join('; ') || `virsh ended (${signal ?? code})`;
      this.#end(new VirshGone(words, 'ended'));
    });
    this.#process.stdin.on('error', () => undefined); // It has ended: `close` says so.
    this.#process.stdout.on('data', (chunk: Buffer) => this.#take('output', chunk));
    this.#process.stderr.on('data', (chunk: Buffer) => this.#take('error', chunk));
  }

  /**
   * Runs one command, after which the next may be given; not before.
   * @param words each a word to virsh, whatever is in it, but a line end
   * @throws VirshGone
   */
  run(words: readonly string[], limitSeconds: number): Promise<Answer> {
    if (this.#gone) return Promise.reject(this.#gone);
    const mark = `${this.#nonce}x${++this.#asked}`;
    const said = `${this.#nonce}'x'${this.#asked}`;
    return new Promise((resolve, reject) => {
      const line = words.map(quote).join(' ');
      const late = () => {
        this.#end(new VirshGone(`virsh ${words[0]} took longer than ${limitSeconds} s`, 'silent'));
      };
      const timer = setTimeout(late, limitSeconds * 1000);
      this.#pending = {
        output: new Until(`done-${mark}`),
        error: new Until(`done-${mark}`),
        settle: (error) => {
          clearTimeout(timer);
          const pending = this.#pending;
          this.#pending = undefined;
          if (error || !pending) return reject(error);
          resolve({
            output: between(pending.output.text(), `begin-${mark}`, `end-${mark}`),
            errors: errorLines(pending.error.text()),
          });
        },
      };
      this.#process.stdin.write(
        `echo begin-${said}; ${line}; echo end-${said}\necho --err done-${said}; echo done-${said}\n`,
      );
    });
  }

  /** Ends the process. It is not asked to: on its own way out virsh writes its history. */
  close(): void {
    this.#end(new VirshGone('the connection is closed', 'ended'));
  }

  #take(from: 'output' | 'error', chunk: Buffer): void {
    const pending = this.#pending;
    if (!pending) {
      if (from === 'error') this.#lastWords = (this.#lastWords + chunk.toString()).slice(-4096);
      return;
    }
    pending[from].take(chunk);
    if (pending.output.complete && pending.error.complete) pending.settle();
  }

  #end(why: VirshGone): void {
    if (this.#gone) return;
    this.#gone = why;
    this.#process.kill('SIGKILL');
    this.#pending?.settle(why);
  }
}

interface Pending {
  readonly output: Until;
  readonly error: Until;
  settle(error?: VirshGone): void;
}

/** Bytes as they come, until a word is among them. */
class Until {
  readonly #chunks: Buffer[] = [];
  #tail = '';
  complete = false;

  readonly #word: string;

  constructor(word: string) {
    this.#word = word;
  }

  take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    const seen = this.#tail + chunk.toString('latin1');
    this.complete ||= seen.includes(this.#word);
    this.#tail = seen.slice(-this.#word.length);
  }

  /** What came before the word. */
  text(): string {
    const all = Buffer.concat(this.#chunks).toString('utf8');
    const end = all.indexOf(this.#word);
    return end < 0 ? all : all.slice(0, end);
  }
}

function between(text: string, begin: string, end: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  return from < 0 || to < 0 ? '' : text.slice(from + begin.length, to);
}

/** virsh says `error: ` before each of its errors; what libvirt says may have more lines. */
function errorLines(text: string): string[] {
  const words = text.split(/^error: /m).slice(1);
  return words.map((part) => part.trim()).filter((part) => part !== '' && !NO_ERROR.test(part));
}

/** That it is back, and that it cannot write its history. */
const NO_ERROR = /^Reconnected to the hypervisor$|'\/dev\/null\//;

/** One word of virsh's command language: nothing is special between single quotes but the quote. */
function quote(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new Error(`virsh takes no line end in a word: ${JSON.stringify(word)}`);
  return /^[a-z0-9/._-]+$/i.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
