import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describeIoError } from '../io/errors.js';

/** The answer of virsh to one command. */
export interface Answer {
  readonly output: string;
  /** Its error messages, each without `error: `; empty if the command succeeded. */
  readonly errors: readonly string[];
}

/** virsh is missing, has ended, or does not answer; the caller may start another. */
export class VirshUnavailable extends Error {
  constructor(
    message: string,
    /**
     * `missing`: virsh is not installed. `forbidden`: permission denied. `silent`: it took too long. `ended`: it ended,
     * and the message contains its last error output.
     */
    readonly why: 'missing' | 'forbidden' | 'silent' | 'ended',
  ) {
    super(message);
  }
}

/** Environment variables that change virsh's output, log or history. virsh does not inherit them. */
const UNWANTED = /^(LIBVIRT_DEBUG|LIBVIRT_LOG_|VIRSH_|LANGUAGE$|LC_|LANG$)/;

/**
 * One virsh process. It gets commands one after the other on its standard input, as if a user typed them. libvirt's own
 * protocol is not stable, and a separate virsh per command would have to connect each time.
 *
 * virsh echoes its prompt and its input (readline, libvirt 12.8), does not report that a command succeeded, and runs no
 * command of a line with a syntax error. So the line of a command also prints a marker before and after its output, and
 * the next line prints a third marker on both outputs. The markers contain a random number that no domain can contain.
 * In the input they are split by quotes, so the echo of the input does not contain them.
 */
export class Virsh {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #nonce = randomBytes(12).toString('hex');
  #asked = 0;
  #gone: VirshUnavailable | undefined;
  #pending: Pending | undefined;
  #lastErrors = '';

  /**
   * @param uri the connection; empty for libvirt's default
   * @param held an open file that virsh inherits, so that it stays open until virsh has ended, even if this process is
   * killed
   */
  constructor(uri: string, held?: number) {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !UNWANTED.test(name)));
    // The shell ignores SIGINT and then replaces itself with virsh, which inherits that. So Ctrl-C does not end virsh
    // in the middle of a define; this class ends it.
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
        // vsmmu's commands must not enter the user's history. A session daemon inherits this variable and needs its
        // real value.
        ...(!/\/session\b/.test(uri) && { XDG_CACHE_HOME: '/dev/null' }),
      },
    }) as ChildProcessWithoutNullStreams;
    this.#process.on('error', (error) => this.#end(new VirshUnavailable(describeIoError(error), 'ended')));
    this.#process.on('close', (code, signal) => {
      if (code === 126) this.#end(new VirshUnavailable('virsh cannot be started: permission denied', 'forbidden'));
      if (code === 127) this.#end(new VirshUnavailable('virsh is not installed', 'missing'));
      const last = this.#lastErrors || (this.#pending?.error.text() ?? '');
      const words = errorLines(last).join('; ') || `virsh ended (${signal ?? code})`;
      this.#end(new VirshUnavailable(words, 'ended'));
    });
    this.#process.stdin.on('error', () => undefined); // virsh has ended; `close` reports it.
    this.#process.stdout.on('data', (chunk: Buffer) => this.#take('output', chunk));
    this.#process.stderr.on('data', (chunk: Buffer) => this.#take('error', chunk));
  }

  /**
   * Runs one command. Wait for its answer before the next one.
   * @param words the words of the command; each may contain anything except a line end or a NUL
   * @throws VirshUnavailable
   */
  run(words: readonly string[], limitSeconds: number): Promise<Answer> {
    if (this.#gone) return Promise.reject(this.#gone);
    const mark = `${this.#nonce}x${++this.#asked}`;
    const said = `${this.#nonce}'x'${this.#asked}`;
    return new Promise((resolve, reject) => {
      const line = words.map(quote).join(' ');
      const late = () => {
        this.#end(new VirshUnavailable(`virsh ${words[0]} took longer than ${limitSeconds} s`, 'silent'));
      };
      const timer = setTimeout(late, limitSeconds * 1000);
      this.#pending = {
        output: new MarkedText(`done-${mark}`),
        error: new MarkedText(`done-${mark}`),
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

  /** Kills the process. virsh is not asked to quit, because it would then write its history. */
  close(): void {
    this.#end(new VirshUnavailable('the connection is closed', 'ended'));
  }

  #take(from: 'output' | 'error', chunk: Buffer): void {
    const pending = this.#pending;
    if (!pending) {
      if (from === 'error') this.#lastErrors = (this.#lastErrors + chunk.toString()).slice(-4096);
      return;
    }
    pending[from].take(chunk);
    if (pending.output.complete && pending.error.complete) pending.settle();
  }

  #end(why: VirshUnavailable): void {
    if (this.#gone) return;
    this.#gone = why;
    this.#process.kill('SIGKILL');
    this.#pending?.settle(why);
  }
}

interface Pending {
  readonly output: MarkedText;
  readonly error: MarkedText;
  settle(error?: VirshUnavailable): void;
}

/** Collects bytes until they contain a marker. */
class MarkedText {
  readonly #chunks: Buffer[] = [];
  #tail = '';
  complete = false;

  readonly #marker: string;

  constructor(marker: string) {
    this.#marker = marker;
  }

  take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    const seen = this.#tail + chunk.toString('latin1');
    this.complete ||= seen.includes(this.#marker);
    this.#tail = seen.slice(-this.#marker.length);
  }

  /** Returns the text before the marker. */
  text(): string {
    const all = Buffer.concat(this.#chunks).toString('utf8');
    const end = all.indexOf(this.#marker);
    return end < 0 ? all : all.slice(0, end);
  }
}

function between(text: string, begin: string, end: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  return from < 0 || to < 0 ? '' : text.slice(from + begin.length, to);
}

/**
 * Returns the messages in virsh's error output. virsh writes `error: ` before each; a message of libvirt may have
 * several lines.
 */
function errorLines(text: string): string[] {
  const words = text.split(/^error: /m).slice(1);
  return words.map((part) => part.trim()).filter((part) => part !== '' && !NO_ERROR.test(part));
}

/** Messages that are not errors: virsh has reconnected, or cannot write its history. */
const NO_ERROR = /^Reconnected to the hypervisor$|'\/dev\/null\//;

/** Quotes a word for virsh: between single quotes, only the single quote is special. */
function quote(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new Error(`virsh takes no line end in a word: ${JSON.stringify(word)}`);
  return /^[a-z0-9/._-]+$/i.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
