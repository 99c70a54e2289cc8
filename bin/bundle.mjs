/**
 * Makes dist/: `vsmmu.cjs`, the whole command line in one file for bin/vsmmu; `hook.cjs`, the part of it that libvirt's hook
 * needs; `batch-worker.cjs`, which the threads of a batch run; `index.js` and `types/`, the library.
 * Nothing in dist/ may depend on the Node that built it: Node crashes on code that another one compiled.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The programs, by name: where each starts. */
const programs = { vsmmu: 'src/cli/start.ts', hook: 'src/cli/start-hook.ts', 'batch-worker': 'src/batch/worker.ts' };

const common = { absWorkingDir: root, bundle: true, platform: 'node', target: 'node20.19', logLevel: 'warning' };

rmSync(`${root}dist`, { recursive: true, force: true });
for (const [name, entry] of Object.entries(programs)) {
  await build({
    ...common,
    entryPoints: { [name]: entry },
    outdir: `${root}dist`,
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    // Stack traces show names, so only the hook, which starts most often, is without them.
    minifyIdentifiers: name === 'hook',
    // As large as all the rest, and only a picture needs it: loaded from node_modules.
    external: ['@viz-js/viz'],
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
}
await build({
  ...common,
  entryPoints: ['src/index.ts'],
  outfile: `${root}dist/index.js`,
  format: 'esm',
  packages: 'external',
});
