/**
 * The emulated Arm host: QEMU in a jail, with Debian's arm64 userland and a connection to run programs there. It ends with
 * the process that started it.
 */
import { cp, link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildExecutable } from '../../bin/build/executable.js';
import { cacheFolder, temporaryFolder } from '../lab/cache.js';
import { Jail } from '../lab/jail.js';
import { sayOnStderr } from '../lab/lab.js';
import { LabError, lastLine, type Result, type RunOptions } from '../lab/process.js';
import { tableArchive, withCanwbs } from './canwbs.js';
import { guestInitrd } from './guest.js';
import { readIort } from './iort.js';
import { Line } from './line.js';
import { accelMachine, bootArguments, driveMiB, drives, hostDevices, type Smmus } from './machine.js';
import { openParts, type Parts } from './parts.js';

/** From QEMU's start to the agent's first answer: 40 s on two idle cores. */
const startLimitSeconds = 300;

export interface HostOptions {
  readonly smmus?: Smmus;
  /** Whether its firmware marks root complexes as CANWBS. Default: true. */
  readonly canwbs?: boolean;
  /** Whether it outlives this process; `AccelHost.attach` then connects to it. */
  readonly detached?: boolean;
}

export class AccelHost implements AsyncDisposable {
  private constructor(
    /** The folder of the host's files on this computer: the log of its console, its drives. */
    readonly folder: string,
    readonly jail: Jail,
    private readonly line: Line,
    private parts: Parts | undefined,
  ) {}

  /** Starts a host and waits until its agent and its libvirtd answer. Throws LabError. */
  static async start(options: HostOptions = {}, say: (line: string) => void = sayOnStderr): Promise<AccelHost> {
    const parts = await openParts(say);
    const folder = options.detached ? upFolder() : temporaryFolder();
    let jail: Jail | undefined;
    try {
      const machine = accelMachine(options.smmus ?? 'nested');
      await fillFolder(folder, parts, machine);
      const open = options.detached ? Jail.openDetached : Jail.open;
      jail = await open.call(Jail, parts.root, 'readonly', { shared: folder });
      const isMarked = options.canwbs ?? true;
      const table = isMarked ? withCanwbs(await readIort(jail, parts.root, folder, machine)) : undefined;
      await writeFile(join(folder, 'initrd'), tableArchive(table));
      const argv = bootArguments(machine, 'initrd', 'root=/dev/vda rw');
      const { code, stderr } = await jail.run(['qemu-system-aarch64', ...argv, ...hostDevices]);
      if (code !== 0) throw new LabError(`the host did not start: ${lastLine(stderr)}`);
      const line = await Line.open(join(folder, 'agent.sock'));
      const host = new AccelHost(folder, jail, line, parts);
      await host.awake();
      return host;
    } catch (error) {
      await jail?.kill();
      await parts.release();
      throw error;
    }
  }

  /** Connects to the host that another process started, by its folder and the first process of its jail. */
  static async attach(folder: string, pid: number): Promise<AccelHost> {
    return new AccelHost(folder, Jail.join(pid), await Line.open(join(folder, 'agent.sock')), undefined);
  }

  /** Runs a program on the host. Throws LabError if it takes longer than `limitSeconds` (default: 120). */
  async run(argv: readonly string[], options: Pick<RunOptions, 'input' | 'limitSeconds'> = {}): Promise<Result> {
    const { late, ...result } = await this.line.ask('run', { argv, ...options });
    if (late === true) throw new LabError(`${argv.join(' ')} took longer than ${options.limitSeconds ?? 120} s`);
    return result as unknown as Result;
  }

  /** Runs a program on the host and returns its standard output. Throws LabError with its message if it fails. */
  async output(argv: readonly string[], options: Pick<RunOptions, 'input' | 'limitSeconds'> = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code !== 0) throw new LabError(`${argv.join(' ')} ended with ${code}: ${(stderr || stdout).trim()}`);
    return stdout;
  }

  /** Runs shell commands on the host, up to the first that fails. */
  async script(text: string, limitSeconds?: number): Promise<string> {
    return await this.output(
      ['bash', '-euo', 'pipefail', '-c', text],
      limitSeconds === undefined ? {} : { limitSeconds },
    );
  }

  /** Writes a file on the host. */
  async put(path: string, content: string): Promise<void> {
    await this.ask('put', { path, content });
  }

  /** Sends a request to the host's agent; see host/agent.mjs. */
  async ask(operation: string, request: object): Promise<Readonly<Record<string, unknown>>> {
    return await this.line.ask(operation, request);
  }

  /** Returns everything that its console has printed. */
  async console(): Promise<string> {
    return await readFile(join(this.folder, 'console.log'), 'latin1');
  }

  /** Disconnects from a host that continues to run, and releases the locks that were taken to start it. */
  async disconnect(): Promise<void> {
    this.line.close();
    const { parts } = this;
    this.parts = undefined;
    await parts?.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
    await this.jail[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Waits for the first answer. Requests are lost until the host's driver has opened the port, so it repeats them. */
  private async awake(): Promise<void> {
    const deadline = performance.now() + startLimitSeconds * 1000;
    const request = { argv: ['virsh', '--quiet', 'version'], limitSeconds: startLimitSeconds };
    try {
      const answers: Promise<unknown>[] = [];
      for (;;) {
        answers.push(this.line.ask('ping', {}));
        const pause = new Promise((resolve) => setTimeout(resolve, 1000, 'silent'));
        if ((await Promise.race([...answers, pause])) !== 'silent') break;
        if (performance.now() > deadline) throw new LabError('it does not answer');
      }
      await this.line.ask('run', request);
    } catch {
      const console = await this.console();
      const reason = console.split('\n').find((line) => /Kernel panic|not found|No such/.test(line));
      throw new LabError(`the host did not come up: ${(reason ?? lastLine(console)).trim()}`);
    }
  }
}

/** The name of the record of the running host (lab/running.ts). */
export const record = 'accel-running.json';

/** The folder of the host that `up` leaves running. */
export function upFolder(): string {
  return join(cacheFolder(), 'accel-up');
}

async function fillFolder(folder: string, parts: Parts, machine: ReturnType<typeof accelMachine>): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const share = join(folder, 'share');
  await mkdir(share, { recursive: true });
  await link(parts.kernel, join(folder, 'Image'));
  await link(parts.kernel, join(share, 'Image'));
  await link(parts.disk, join(folder, 'disk'));
  for (const name of drives(machine)) {
    await using file = await open(join(folder, `${name}.raw`), 'w');
    await file.truncate(driveMiB * 1024 ** 2);
  }
  await writeFile(join(share, 'now'), `${Math.floor(Date.now() / 1000)}\n`);
  await writeFile(join(share, 'guest.cpio.gz'), Buffer.concat([await guestInitrd(), await readFile(parts.agent)]));
  for (const name of ['agent.mjs', 'start.sh']) {
    await cp(fileURLToPath(new URL(`./host/${name}`, import.meta.url)), join(share, name));
  }
  const { path } = buildExecutable('aarch64', join(folder, 'build'));
  await mkdir(join(share, 'vsmmu/bin'), { recursive: true });
  await rename(path, join(share, 'vsmmu/bin/vsmmu'));
}
