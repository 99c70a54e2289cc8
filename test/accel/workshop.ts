/**
 * Where the kernel and the host's image are made: the lab's root with compilers in it, on an overlay that goes when they
 * are done, so that the machine needs none of them.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, temporaryFolder } from '../lab/cache.js';
import { Jail } from '../lab/jail.js';
import { LabError } from '../lab/process.js';

const packages = ['gcc-aarch64-linux-gnu', 'gcc', 'libc6-dev', 'make', 'flex', 'bison', 'bc', 'e2fsprogs', 'xz-utils'];

/** The content of the workshop, for the recipes of parts that are made in it. */
export const workshopRecipe = { packages };

/** Number of attempts to download from a mirror. */
const attempts = 3;

export class Workshop implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    readonly jail: Jail,
    /** Path of the log of the programs. */
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

  /** The file on the machine that is `/mnt/NAME` in the workshop. */
  shared(name: string): string {
    return join(this.folder, 'shared', name);
  }

  /** Runs a program; a bad exit code is a LabError that names the log. */
  async step(argv: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.jail.run(argv);
    await writeFile(this.log, `$ ${argv.join(' ')}\n${stdout}${stderr}`, { flag: 'a' });
    if (code !== 0) throw new LabError(`${argv[0]} failed (${code}); what it said is in ${this.log}`);
  }

  /** Runs a script of /bin/sh, which stops at the first command that fails. */
  async script(text: string, ...args: readonly string[]): Promise<void> {
    await this.step(['sh', '-euc', text, 'sh', ...args]);
  }

  /** Runs a program that downloads, again where the network was at fault. */
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
