/**
 * Starts other programs. A program is an argument vector, never a line for a shell.
 */
import { spawn } from 'node:child_process';

/** An error that the user can correct: one line, without a stack trace. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

export interface Result {
  /** Exit code; 128 + the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** After this many seconds the program is killed and the run throws. */
  readonly limitSeconds?: number;
  /** The program gets this terminal instead of pipes; stdout and stderr come back empty. */
  readonly terminal?: boolean;
  /** Kills the program when it is aborted. */
  readonly signal?: AbortSignal;
}

const signalCodes: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };

/** Runs `argv` to its end. Throws LabError only if it cannot be started or takes too long, not for its exit code. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [file, ...args] = argv;
  if (file === undefined) throw new LabError('nothing to run');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: options.terminal ? 'inherit' : 'pipe',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const limit =
      options.limitSeconds === undefined
        ? undefined
        : setTimeout(() => {
            late = true;
            child.kill('SIGKILL');
          }, options.limitSeconds * 1000);
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      reject(new LabError(error.code === 'ENOENT' ? `the program ${file} is missing` : `${file}: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      const result = {
        code: code ?? (signal ? (signalCodes[signal] ?? 128) : 128),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      if (late) {
        const last = lastLine(result.stderr) || lastLine(result.stdout);
        reject(
          new LabError(`${file} took longer than ${options.limitSeconds} s${last ? `; its last line: ${last}` : ''}`),
        );
      } else resolve(result);
    });
    // If a program ends without reading its input, its exit code counts, not the broken pipe.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs `argv` and returns its standard output; any exit code except 0 is a LabError with its last line. */
export async function output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0) {
    const said = lastLine(result.stderr) || lastLine(result.stdout) || 'it printed nothing';
    throw new LabError(`${argv.slice(0, 3).join(' ')} failed with ${result.code}: ${said}`);
  }
  return result.stdout;
}

/** The last line of `text` that is not blank. */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}
