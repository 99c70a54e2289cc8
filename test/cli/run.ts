import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** The root of the repository. Commands run there, so that paths in messages are short. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The result of a run of the tool. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Input of a program other than its arguments. */
export interface Given {
  /** Text or bytes for standard input. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Runs `bin/vsmmu` with a text or bytes on standard input, and with additional environment variables. */
export function vsmmu(
  args: readonly string[],
  input: string | Uint8Array = '',
  variables: NodeJS.ProcessEnv = {},
): Run {
  return runProgram('vsmmu', args, { input, env: { ...environment(), ...variables } });
}

/** Starts a program of `bin/` as a process, for tests that need one: signals, start-up time. */
export function startProgram(name: string, args: readonly string[], { input = '', env }: Given = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(REPOSITORY, 'bin', name), ...args], {
    cwd: REPOSITORY,
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: env ?? environment(),
  });
  return { code: status, stdout, stderr };
}

/** The environment of the tests, without colours, and with file names in UTF-8. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C.UTF-8', CI: 'true' };
}

/** The thread in which programs run, and its shared state. */
interface Runner {
  readonly worker: Worker;
  readonly answers: MessagePort;
  /** 1 if there is an answer. */
  readonly state: Int32Array;
}

interface Answer {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** The thread has ended with the program. */
  readonly ended: boolean;
}

/** Time limit of a program, in case it hangs. */
const LIMIT_MS = 120_000;

let runner: Runner | undefined;

function startRunner(): Runner {
  const { port1: answers, port2: port } = new MessageChannel();
  const state = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { port, state };
  const file = new URL('in-process.cjs', import.meta.url);
  const worker = new Worker(file, {
    workerData,
    transferList: [port],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  worker.unref();
  answers.unref();
  return { worker, answers, state };
}

/** Runs a program of `bin/` in a thread of this process, and waits for its end. */
export function runProgram(name: string, args: readonly string[], { input = '', env }: Given = {}): Run {
  runner ??= startRunner();
  const { worker, answers, state } = runner;
  Atomics.store(state, 0, 0);
  const program = join(REPOSITORY, 'bin', name);
  worker.postMessage({ program, args, input, env: { ...(env ?? environment()) } });
  Atomics.wait(state, 0, 0, LIMIT_MS);
  const answer = receiveMessageOnPort(answers)?.message as Answer | undefined;
  if (!answer || answer.ended) runner = undefined;
  if (!answer) throw new Error(`${name} ${args.join(' ')} does not end`);
  const [stdout, stderr] = [answer.stdout, answer.stderr].map((bytes) => Buffer.from(bytes).toString('utf8'));
  return { code: answer.code, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Makes a temporary folder for a test, which is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  // A process that a test killed may still add a file.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** Runs `bin/vsmmu` on a terminal and returns its output. `keys` are typed as soon as the terminal shows a given text. */
export async function vsmmuAtTerminal(
  args: readonly string[],
  {
    environment = {},
    keys,
  }: { environment?: NodeJS.ProcessEnv; keys?: { readonly after: string; readonly type: string } } = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const words = [process.execPath, join(REPOSITORY, 'bin/vsmmu'), ...args];
  const line = words.map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    cwd: REPOSITORY,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...environment },
  });
  let shown = '';
  let typed = keys === undefined;
  if (typed) child.stdin.end();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (typed || keys === undefined || !shown.includes(keys.after)) return;
    typed = true;
    child.stdin.write(keys.type);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, shown: shown.replaceAll('\r\n', '\n') };
}
