/**
 * Builds dist/, which needs no other packages at run time:
 * - `vsmmu.cjs`: the whole command line in one file, for bin/vsmmu
 * - `hook.cjs`: the part of it that libvirt's hook needs
 * - `batch-worker.cjs`: the program that the threads of a batch run
 * - `index.js` and `types/`: the library
 * - `LICENCES`: the licences of the bundled packages
 *
 * dist/ must not depend on the Node that built it: Node crashes on code that another version of Node compiled.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { thirdPartyLicences } from './licences.js';
import { REPOSITORY } from './repository.js';

const dist = join(REPOSITORY, 'dist');

/** The entry point of each program, by name. */
const programs = {
  vsmmu: 'src/cli/start.ts',
  hook: 'src/cli/start-hook.ts',
  'batch-worker': 'src/batch/batch-worker.ts',
};

const common = {
  absWorkingDir: REPOSITORY,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  // A module of Bun, the runtime of the standalone executable. With Node.js, the bundles never import it.
  external: ['bun:ffi'],
  logLevel: 'warning',
} satisfies BuildOptions;

rmSync(dist, { recursive: true, force: true });
const inputs = new Set<string>();
for (const [name, entry] of Object.entries(programs)) {
  await bundle({
    entryPoints: { [name]: entry },
    outdir: dist,
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    // Stack traces need the names. Only the hook, which starts most often, does without them to be smaller.
    minifyIdentifiers: name === 'hook',
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
}
await bundle({ entryPoints: ['src/index.ts'], outfile: join(dist, 'index.js'), format: 'esm' });
writeFileSync(join(dist, 'LICENCES'), thirdPartyLicences([...inputs]));

async function bundle(options: BuildOptions): Promise<void> {
  const { metafile } = await build({ ...common, ...options, metafile: true });
  for (const input of Object.keys(metafile.inputs)) inputs.add(input);
}
