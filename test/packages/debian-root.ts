/** Root file systems of Debian releases, in which packages are installed without network. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../lab/cache.js';
import { findMirror } from '../lab/mirror.js';
import { output, type Run, run } from './packages.js';

/** A minimal Debian, removed on disposal. */
export class DebianRoot {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Unpacks a release. The first call makes it with debootstrap and stores the archive in the lab's cache. */
  static async open(suite: string): Promise<DebianRoot> {
    const archive = join(cacheFolder(), `debian-${suite}.tar`);
    if (!existsSync(archive)) await make(suite, archive);
    const path = mkdtempSync(join(cacheFolder(), 'debian-root-'));
    output(['tar', '-xf', archive, '-C', path], ENVIRONMENT);
    return new DebianRoot(path);
  }

  /** Runs a program in it as root, without network. */
  run(...argv: readonly string[]): Run {
    const script = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';
    const isolated = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, this.path];
    return run([...isolated, ...argv], ENVIRONMENT);
  }

  /** Runs a program that must succeed, and returns its standard output. */
  output(...argv: readonly string[]): string {
    const { code, stdout, stderr } = this.run(...argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const ENVIRONMENT = {
  env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
};

async function make(suite: string, archive: string): Promise<void> {
  const { uri, keyring } = await findMirror();
  const folder = mkdtempSync(join(cacheFolder(), 'debian-make-'));
  mkdirSync(folder, { recursive: true });
  try {
    const { code, stdout, stderr } = run(
      ['debootstrap', '--variant=minbase', `--keyring=${keyring}`, suite, join(folder, 'root'), uri],
      { env: process.env },
    );
    if (code !== 0) throw new Error(`debootstrap ${suite} ended with ${code}: ${(stderr || stdout).slice(-2000)}`);
    output(['tar', '-cf', join(folder, 'root.tar'), '-C', join(folder, 'root'), '.'], ENVIRONMENT);
    renameSync(join(folder, 'root.tar'), archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
