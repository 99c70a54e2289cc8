/**
 * The Bun runtime that a standalone executable contains: pinned packages of the npm registry, whose integrity is checked
 * before use. `npm ci` does not install them, because only `npm run package` needs them.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './run-program.js';

const VERSION = '1.4.5';

/**
 * The pinned package per architecture. For x86_64 it is the build for CPUs without AVX2, such as QEMU's default CPU models.
 */
const PINNED = {
  x86_64: {
    name: '@oven/bun-linux-x64-baseline',
    target: 'bun-linux-x64-baseline',
    integrity: 'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
  },
  aarch64: {
    name: '@oven/bun-linux-aarch64',
    target: 'bun-linux-arm64',
    integrity: 'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
  },
} as const;

/** The name of an architecture, as in the kernel and in RPM. */
export type Architecture = keyof typeof PINNED;

export const ARCHITECTURES = Object.keys(PINNED) as readonly Architecture[];

/** Returns the architecture of the build machine. */
export function ownArchitecture(): Architecture {
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];
  if (architecture === undefined) throw new Error(`there is no Bun for ${process.arch}; build on x86_64 or aarch64`);
  return architecture as Architecture;
}

/** Returns the name of an architecture for `bun build --target`. */
export const bunTarget = (architecture: Architecture): string => PINNED[architecture].target;

/**
 * Returns the path of the Bun executable for an architecture. The first call downloads it into the user's cache.
 * @throws Error if the download is not the pinned package
 */
export function bunFor(architecture: Architecture): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vsmmu-build');
  const folder = join(cache, `bun-${VERSION}-${architecture}`);
  const executable = join(folder, 'package', 'bin', 'bun');
  if (!existsSync(executable)) download(architecture, cache, folder);
  return executable;
}

function download(architecture: Architecture, cache: string, folder: string): void {
  const { name, integrity } = PINNED[architecture];
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'download-'));
  try {
    runProgram('npm', ['pack', '--silent', '--pack-destination', scratch, `${name}@${VERSION}`]);
    const [tarball = ''] = readdirSync(scratch);
    const hash = createHash('sha512')
      .update(readFileSync(join(scratch, tarball)))
      .digest('base64');
    if (`sha512-${hash}` !== integrity) throw new Error(`${name}@${VERSION} is not the pinned package: sha512-${hash}`);
    runProgram('tar', ['-xzf', join(scratch, tarball), '-C', scratch]);
    rmSync(join(scratch, tarball));
    chmodSync(join(scratch, 'package', 'bin', 'bun'), 0o755);
    // If another build created the folder meanwhile, it has the same content.
    if (!existsSync(folder)) renameSync(scratch, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
