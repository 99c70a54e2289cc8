/**
 * The standalone executable: the command line with Bun's runtime and the bytecode that this runtime compiled ahead. It needs
 * no Node.js and, of the host, only glibc 2.17.
 *
 * `strip` removes the program and leaves plain Bun: never strip it.
 */
import { mkdirSync, readFileSync } from 'node:fs';
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
 * Builds the executable `vsmmu` for an architecture into a folder. The same sources give the same bytes, wherever the
 * repository is.
 */
export function buildExecutable(architecture: Architecture, folder: string): Executable {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'vsmmu');
  const metafile = join(folder, 'inputs.json');
  runProgram(
    bunFor(ownArchitecture()),
    [
      'build',
      '--compile',
      '--bytecode',
      // --bytecode alone would choose CommonJS, which has no top-level import().
      '--format=esm',
      '--minify',
      // A root program must not obey files of the folder it is started in.
      '--no-compile-autoload-dotenv',
      '--no-compile-autoload-bunfig',
      '--no-compile-autoload-tsconfig',
      '--no-compile-autoload-package-json',
      `--target=${bunTarget(architecture)}`,
      `--compile-executable-path=${bunFor(architecture)}`,
      `--metafile=${metafile}`,
      // Beside the program, where it looks for the worker by its file name.
      '--entry-naming=[name].[ext]',
      'src/cli/start.ts',
      'src/batch/batch-worker.ts',
      '--outfile',
      path,
    ],
    { cwd: REPOSITORY },
  );
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> };
  return { path, inputs: Object.keys(inputs) };
}
