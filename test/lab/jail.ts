/**
 * An isolated environment for programs: a root folder with its own mounts, processes and network. The kernel ends all of it
 * when its first process ends, which happens when this process closes its input or ends in any way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { lockFile } from './cache.js';
import { LabError, output, type Result, type RunOptions, run } from './process.js';

/** `readonly`: a finished root, with tmpfs where libvirt writes. `machine`: this computer's own / and network. */
export type JailMode = 'writable' | 'readonly' | 'machine';

/** Folders of this computer that a jail uses besides its root. */
export interface JailFolders {
  /** Mounted as /mnt in the jail. */
  readonly shared?: string;
  /** A folder for writes to the root, which itself is not changed. */
  readonly overlay?: string;
}

const script = fileURLToPath(new URL('./jail.sh', import.meta.url));

/** The environment of a program in a jail: nothing is inherited from this process. */
const environment = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  TERM: process.env.TERM ?? 'dumb',
};

/** The programs of this computer that the lab needs, and their Debian packages. */
const needed = { debootstrap: 'debootstrap', unshare: 'util-linux', nsenter: 'util-linux', flock: 'util-linux' };

/** Throws LabError with one line if this computer lacks a requirement. */
export function requireMachine(): void {
  if (!existsSync('/etc/debian_version')) throw new LabError('the lab needs a Debian machine');
  if (process.getuid?.() !== 0) throw new LabError('the lab needs root');
  requirePrograms(needed);
}

/** Throws LabError with one line if one of these programs is missing; it names the Debian package. */
export function requirePrograms(programs: Readonly<Record<string, string>>): void {
  for (const [program, name] of Object.entries(programs)) {
    const found = environment.PATH.split(':').some((folder) => existsSync(`${folder}/${program}`));
    if (!found) throw new LabError(`the lab needs ${program}: apt-get install ${name}`);
  }
}

export class Jail implements AsyncDisposable {
  private constructor(
    /** The process ID of the jail's first process, outside the jail. */
    readonly pid: number,
    private readonly holder: ChildProcess | undefined,
  ) {}

  /** Makes a jail with `root` as its /. It lasts until it is disposed or this process ends. */
  static async open(root: string, mode: JailMode, folders: JailFolders = {}): Promise<Jail> {
    const holder = start(root, mode, folders, 'pipe');
    return new Jail(await ready(holder), holder);
  }

  /** Makes a jail that outlives this process and holds the lock of the cache shared; `kill` ends it. */
  static async openDetached(root: string, mode: JailMode, folders: JailFolders = {}): Promise<Jail> {
    const holder = start(root, mode, folders, 'ignore', ['flock', '--shared', lockFile()]);
    const jail = new Jail(await ready(holder), undefined);
    holder.stdout?.destroy();
    holder.stderr?.destroy();
    holder.unref();
    return jail;
  }

  /** Returns the jail that `openDetached` of another process made. */
  static join(pid: number): Jail {
    return new Jail(pid, undefined);
  }

  /** Runs a program in the jail. After `limitSeconds` the program in the jail is killed, and the call throws. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { limitSeconds, ...rest } = options;
    const bounded = limitSeconds === undefined ? argv : ['timeout', '-s', 'KILL', String(limitSeconds), ...argv];
    const result = await run(this.enter(bounded), { ...rest, env: { ...environment, ...options.env } });
    if (limitSeconds !== undefined && result.code === 137) {
      throw new JailTimeout(`${argv[0]} took longer than ${limitSeconds} s`, result);
    }
    return result;
  }

  /** Runs a program in the jail and returns its standard output; any exit code except 0 is a LabError. */
  async output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return await output(this.enter(argv), { ...options, env: { ...environment, ...options.env } });
  }

  /** Writes a file in the jail; its folder must exist. */
  async put(path: string, content: string | Uint8Array): Promise<void> {
    await this.output(['dd', 'status=none', `of=${path}`], { input: content });
  }

  /** Ends everything in the jail, at once. */
  async kill(): Promise<void> {
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      return; // It had ended already.
    }
    while (existsSync(`/proc/${this.pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { holder } = this;
    if (holder === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
    const closed = new Promise((resolve) => holder.once('close', resolve));
    process.kill(this.pid, 'SIGKILL');
    await closed;
  }

  /** The command line that runs a program in the jail, for callers that do not wait for its end. */
  argv(argv: readonly string[]): string[] {
    const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return ['env', '-i', ...settings, ...this.enter(argv)];
  }

  private enter(argv: readonly string[]): string[] {
    const namespaces = ['--mount', '--pid', '--net', '--ipc', '--uts'];
    return ['nsenter', '--target', String(this.pid), ...namespaces, '--root', '--wdns=/', '--', ...argv];
  }
}

/** A program in a jail was killed after its limit; `result` has its output until then. */
export class JailTimeout extends LabError {
  constructor(
    message: string,
    readonly result: Result,
  ) {
    super(message);
  }
}

function start(
  root: string,
  mode: JailMode,
  { shared = '', overlay = '' }: JailFolders,
  input: 'pipe' | 'ignore',
  through: readonly string[] = [],
): ChildProcess {
  const namespaces = ['--mount', '--pid', '--ipc', '--uts', ...(mode === 'readonly' ? ['--net'] : [])];
  const lasting = input === 'pipe' ? 'input' : 'killed';
  const init = ['sh', script, root, mode, lasting, shared, overlay];
  const argv = [...through, 'unshare', ...namespaces, '--fork', '--kill-child', '--propagation', 'private', ...init];
  // A separate session, so that Ctrl-C reaches this process and not the jail: this process ends it.
  return spawn('/usr/bin/env', argv, { detached: true, stdio: [input, 'pipe', 'pipe'], env: environment });
}

/** Waits for the first line of the jail's script, its process ID. */
async function ready(holder: ChildProcess): Promise<number> {
  const { stdout, stderr } = holder;
  if (stdout === null || stderr === null) throw new LabError('the jail has no output');
  let said = '';
  stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume();
    return Number(line);
  }
  throw new LabError(`the jail could not be made: ${said.trim().split('\n').at(-1) ?? ''}`);
}
