/** Finds the results of `npm run package`, and runs programs to test them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ownArchitecture } from '../../bin/build/bun.js';
import { REPOSITORY } from '../../bin/build/repository.js';

/** The output of a program and its exit code. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of the caller's environment, and no libvirt: the results must not depend on what this machine has. */
const NO_LIBVIRT = { VSMMU_LIBVIRT_SCHEMAS: '/nowhere' };

/** Runs a program, in an environment where no libvirt is installed, unless another is given. */
export function run(
  [program = '', ...args]: readonly string[],
  { cwd = REPOSITORY, env = NO_LIBVIRT }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Run {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error) throw error;
  return { code: status, stdout, stderr };
}

/** The standard output of a program that must succeed. */
export function output(argv: readonly string[], options?: Parameters<typeof run>[1]): string {
  const { code, stdout, stderr } = run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

/** The path of the one package whose name matches. */
export function packageFile(pattern: RegExp): string {
  const [name, ...others] = readdirSync(join(REPOSITORY, 'packages')).filter((each) => pattern.test(each));
  if (name === undefined || others.length > 0) throw new Error(`packages/ has not one ${pattern}`);
  return join(REPOSITORY, 'packages', name);
}

/** The standalone executable for this machine. */
export const executable = (): string => packageFile(new RegExp(`^vsmmu-[\\d.]+-${ownArchitecture()}$`));

/** A folder for a test, removed when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-packages-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
