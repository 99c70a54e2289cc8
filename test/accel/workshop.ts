/**
 * The build environment of the kernel and the host's image: the lab's root and compilers, on an overlay that is removed
 * afterwards. The computer itself needs no compiler.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, temporaryFolder } from '../lab/cache.js';
import { Jail } from '../lab/jail.js';
import { LabError } from '../lab/process.js';

const packages = ['gcc-aarch64-linux-gnu', 'gcc', 'libc6-dev', 'make', 'flex', 'bison', 'bc', 'e2fsprogs', 'xz-utils'];

/** The content of the workshop. It is part of the recipe of each part that is made in it. */
export const workshopRecipe = { packages };

/** Number of attempts to download from a mirror. */
const attempts = 3;

export class Workshop implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    readonly jail: Jail,
    /** The path of the log with the output of all programs. */
    readonly log: string,
  ) {}

  /** Sets it up on the lab's root, whose lock the caller holds. Throws LabError. */
  static async open(root: string, say: (line: string) => void): Promise<Workshop> {
    const folder = temporaryFolder();
    const log = join(cacheFolder(), 'accel-make.log');
    await writeFile(log, '');
    await mkdir(join(folder, 'shared'));
    const jail = await Jail.open(root, 'writable', {
      shared: join(folder, 'shared'),
      overlay: join(folder, 'overlay'),
    });
    const workshop = new Workshop(folder, jail, log);
    try {
      say('installing a compiler for arm64');
      await workshop.fetch(['apt-get', 'update']);
      await workshop.fetch(['apt-get', 'install', '--yes', '--no-install-recommends', ...packages]);
    } catch (error) {
      await workshop[Symbol.asyncDispose]();
      throw error;
    }
    return workshop;
  }

  /** Returns the path outside the workshop of its `/mnt/NAME`. */
  shared(name: string): string {
    return join(this.folder, 'shared', name);
  }

  /** Runs a program. Throws LabError, which names the log, if it fails. */
  async step(argv: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.jail.run(argv);
    await writeFile(this.log, `$ ${argv.join(' ')}\n${stdout}${stderr}`, { flag: 'a' });
    if (code !== 0) throw new LabError(`${argv[0]} failed (${code}); its output is in ${this.log}`);
  }

  /** Runs a shell script, up to the first command that fails. */
  async script(text: string, ...args: readonly string[]): Promise<void> {
    await this.step(['sh', '-euc', text, 'sh', ...args]);
  }

  /** Runs a program that downloads, and repeats it if it fails. */
  async fetch(argv: readonly string[]): Promise<void> {
    const [program = '', ...args] = argv;
    const retrying = [program, '-o', 'Acquire::Retries=3', '-o', 'APT::Sandbox::User=root', ...args];
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.step(retrying);
      } catch (error) {
        if (!(error instanceof LabError) || attempt === attempts) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.jail[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
