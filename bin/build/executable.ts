/**
 * Builds the standalone executable: the command line, Bun's runtime, and bytecode that this runtime compiled in advance. It
 * does not need Node.js. On the host, it needs only glibc 2.17 or newer.
 *
 * Never strip it: `strip` removes the program and leaves plain Bun.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, bunFor, bunTarget, ownArchitecture } from './bun.js';
import { REPOSITORY } from './repository.js';
import { runProgram } from './run-program.js';

/** An executable, and the files of the repository that are in it. */
export interface Executable {
  readonly path: string;
  /** Paths relative to the repository, `node_modules` included. */
  readonly inputs: readonly string[];
}

/**
 * The options that determine the behaviour and the speed of the executable. Bun ignores unknown options, so
 * test/packages/flags.test.ts tests the effect of each one.
 */
export const COMPILE_OPTIONS = [
  '--bytecode',
  // --bytecode alone would choose CommonJS, which has no top-level import().
  '--format=esm',
  '--minify',
  // A command loads only what it needs.
  '--splitting',
  // Bun compiles functions to machine code later: most runs are too short to gain from it, and long runs still get it.
  '--compile-jit-policy=100',
  // A program that runs as root must not read configuration files from its working directory.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
] as const;

/**
 * Builds the executable `vsmmu` for an architecture into a folder, which is emptied first. The same sources give the same
 * bytes, independent of the path of the repository.
 */
export function buildExecutable(architecture: Architecture, folder: string): Executable {
  rmSync(folder, { recursive: true, force: true });
  const scratch = join(folder, 'scratch');
  mkdirSync(scratch, { recursive: true });
  const order = bytecodeOrder(compile(ownArchitecture(), join(scratch, 'unordered')), scratch);
  const path = join(folder, 'vsmmu');
  const metafile = join(scratch, 'inputs.json');
  compile(architecture, path, [`--metafile=${metafile}`, `--bytecode-order=${order}`]);
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> };
  rmSync(scratch, { recursive: true });
  return { path, inputs: Object.keys(inputs) };
}

function compile(architecture: Architecture, path: string, options: readonly string[] = []): string {
  runProgram(
    bunFor(ownArchitecture()),
    [
      'build',
      '--compile',
      ...COMPILE_OPTIONS,
      ...options,
      `--target=${bunTarget(architecture)}`,
      `--compile-executable-path=${bunFor(architecture)}`,
      // Puts the worker next to the program, which finds it there by its file name.
      '--entry-naming=[name].[ext]',
      'src/cli/start.ts',
      'src/batch/batch-worker.ts',
      '--outfile',
      path,
    ],
    { cwd: REPOSITORY },
  );
  return path;
}

/**
 * Records which functions the most important runs use. Bun puts their bytecode next to each other, so that a run reads fewer
 * pages of the executable. The order identifies functions by the hash of their source, so it is valid for every architecture.
 */
function bytecodeOrder(executable: string, folder: string): string {
  runProgram('tar', ['-xzf', join(REPOSITORY, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder]);
  const sysfs = ['--sysfs', join(folder, 'sys')];
  const domain = join(REPOSITORY, 'test/fixtures/domain-a.xml');
  const record = (name: string, args: readonly string[], input = ''): { file: string; stdout: string } => {
    const file = join(folder, `${name}.order`);
    const env = { PATH: process.env.PATH, BUN_BYTECODE_ORDER_OUT: file };
    return { file, stdout: runProgram(executable, args, { env, input }) };
  };
  const rewrite = record('rewrite', ['rewrite', ...sysfs, domain]);
  const hook = ['hook', 'run', '--hook', 'warn', '--policy', '/dev/null/none', '--log', '', ...sysfs, '--'];
  const check = record('hook', [...hook, 'vm', 'prepare', 'begin', '-'], rewrite.stdout);
  return [rewrite.file, check.file].join(',');
}
