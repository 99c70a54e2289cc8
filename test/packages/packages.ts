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

/** The environment: nothing of the caller's, and no libvirt, so that the results do not depend on this computer. */
const NO_LIBVIRT = { VSMMU_LIBVIRT_SCHEMAS: '/nowhere' };

/** Runs a program, by default in the environment above. */
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

/** Runs a program that must succeed, and returns its standard output. */
export function output(argv: readonly string[], options?: Parameters<typeof run>[1]): string {
  const { code, stdout, stderr } = run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

/** Returns the path of the only package whose name matches. */
export function packageFile(pattern: RegExp): string {
  const [name, ...others] = readdirSync(join(REPOSITORY, 'packages')).filter((each) => pattern.test(each));
  if (name === undefined || others.length > 0) throw new Error(`packages/ must contain exactly one ${pattern}`);
  return join(REPOSITORY, 'packages', name);
}

/** The standalone executable for this machine. */
export const executable = (): string => packageFile(new RegExp(`^vsmmu-[\\d.]+-${ownArchitecture()}$`));

/** Makes a folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-packages-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
