/**
 * Makes dist/: `vsmmu.cjs`, all of the command line in one file for bin/vsmmu; `vsmmu.cjs.cache`, what V8 compiled of it;
 * `batch-worker.cjs`, what its threads run; `index.js` and `types/`, the library.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = `${root}dist/vsmmu.cjs`;

if (process.argv[2] === 'compile') compile(process.argv.slice(3));
else await build();

async function build() {
  const esbuild = await import('esbuild');
  // V8 takes old code for that of a new bundle of the same length.
  rmSync(`${bundle}.cache`, { force: true });
  const common = { absWorkingDir: root, bundle: true, platform: 'node', target: 'node20.19', logLevel: 'warning' };
  await esbuild.build({
    ...common,
    entryPoints: ['src/cli/start.ts'],
    outfile: bundle,
    format: 'cjs',
    minify: true,
    keepNames: true,
    // As large as all the rest, and loaded for a picture only: from node_modules, then.
    external: ['@viz-js/viz'],
    // A script that V8 runs from its cache has no import(): that becomes require().
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
  await esbuild.build({
    ...common,
    entryPoints: { 'batch-worker': 'src/batch/worker.ts' },
    outdir: `${root}dist`,
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    minify: true,
    keepNames: true,
  });
  await esbuild.build({
    ...common,
    entryPoints: ['src/index.ts'],
    outfile: `${root}dist/index.js`,
    format: 'esm',
    packages: 'external',
  });
  // What has run once is in the cache: a rewrite of a sample is what most starts are for.
  const samples = ['--topology', `${root}samples/hosts/host-a.json`, `${root}samples/domains/ml-train.xml`];
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'compile', 'rewrite', ...samples], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exitCode = 1;
}

/** Runs the bundle with these arguments and keeps what V8 made of it. */
function compile(args) {
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args, '--quiet');
  const script = new Script(Module.wrap(readFileSync(bundle, 'utf8')), { filename: bundle });
  process.on('exit', () => writeFileSync(`${bundle}.cache`, script.createCachedData()));
  const require = createRequire(bundle);
  script.runInThisContext()({}, require, { exports: {} }, bundle, `${root}dist`);
}
