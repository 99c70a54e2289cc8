/**
 * A separate libvirtd for tests: it runs in a jail, on the finished root, which is read-only. The files that libvirt writes are
 * in memory. Several can run at the same time.
 */
import { Jail } from './jail.js';
import { LabError, type Result, type RunOptions } from './process.js';
import { openRoot, type Root } from './rootfs.js';

/** Prints progress on standard error, never into a result. */
export function sayOnStderr(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}

/** Limit for the first answer of libvirtd, which takes less than two seconds on an idle machine. */
const startLimitSeconds = 60;

export class Lab implements AsyncDisposable {
  private constructor(
    private readonly root: Root | undefined,
    readonly jail: Jail,
  ) {}

  /** Makes the root if necessary and starts a libvirtd in it. Throws LabError. */
  static async start(say: (line: string) => void = sayOnStderr): Promise<Lab> {
    const root = await openRoot(say);
    const jail = await Jail.open(root.path, 'readonly');
    const lab = new Lab(root, jail);
    try {
      await startLibvirtd(jail);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** Like `start`, but the lab outlives this process; `jail.kill()` ends it. */
  static async startDetached(say: (line: string) => void = sayOnStderr): Promise<Lab> {
    const root = await openRoot(say);
    const jail = await Jail.openDetached(root.path, 'readonly');
    await startLibvirtd(jail);
    return new Lab(root, jail);
  }

  /** Runs virsh against the lab's libvirtd. A file argument `/dev/stdin` reads `options.input`. */
  virsh(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const argv = ['virsh', '--quiet', ...args];
    // Node's pipes are sockets, which cannot be opened as /dev/stdin; a shell's can.
    return this.jail.run(options.input === undefined ? argv : ['sh', '-c', 'cat | "$@"', 'sh', ...argv], options);
  }

  /** Runs any program of the lab. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.jail.run(argv, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.jail[Symbol.asyncDispose]();
    await this.root?.release();
  }
}

async function startLibvirtd(jail: Jail, through: readonly string[] = []): Promise<void> {
  const started = await jail.run([...through, 'libvirtd', '--daemon'], { limitSeconds: startLimitSeconds });
  if (started.code !== 0) throw new LabError(`libvirtd did not start: ${started.stderr.trim()}`);
  const answer = await jail.run(['virsh', '--quiet', 'version'], { limitSeconds: startLimitSeconds });
  if (answer.code !== 0) throw new LabError(`libvirtd does not answer: ${answer.stderr.trim()}`);
}

/** Ends the lab's libvirtd, but not its guests, and starts another. `through` is put before its command line. */
export async function restartLibvirtd(lab: Lab, through: readonly string[] = []): Promise<void> {
  const pid = (await lab.jail.output(['cat', '/run/libvirtd.pid'])).trim();
  await lab.jail.output(['sh', '-c', 'kill "$1"; while [ -e "/proc/$1" ]; do sleep 0.05; done', 'sh', pid], {
    limitSeconds: startLimitSeconds,
  });
  await startLibvirtd(lab.jail, through);
}

export interface Versions {
  readonly libvirt: string;
  readonly qemu: string;
  readonly debian: string;
}

/** The versions of the programs in the lab, as they print them. */
export async function versions(lab: Lab): Promise<Versions> {
  const libvirt = await lab.jail.output(['libvirtd', '--version']);
  const qemu = await lab.jail.output(['qemu-system-aarch64', '--version']);
  const debian = await lab.jail.output(['cat', '/etc/debian_version']);
  return {
    libvirt: /\d+\.\d+\.\d+/.exec(libvirt)?.[0] ?? libvirt.trim(),
    qemu: /\d+\.\d+\.\d+/.exec(qemu)?.[0] ?? qemu.trim(),
    debian: debian.trim(),
  };
}
