/**
 * Makes dist/: `vsmmu.cjs`, all of the command line in one file for bin/vsmmu; `hook.cjs`, what libvirt's hook needs of it;
 * `….cache`, what V8 compiled of both; `batch-worker.cjs`, what the threads of a batch run; `index.js` and `types/`, the library.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The bundles that bin/vsmmu runs, by name: what each starts from. */
const bundles = { vsmmu: 'src/cli/start.ts', hook: 'src/cli/start-hook.ts' };
const bundle = (name) => `${root}dist/${name}.cjs`;

if (process.argv[2] === 'compile') compile(process.argv[3], process.argv.slice(4));
else await build();

async function build() {
  const esbuild = await import('esbuild');
  // V8 takes old code for that of a new bundle of the same length.
  for (const name of Object.keys(bundles)) rmSync(`${bundle(name)}.cache`, { force: true });
  const common = { absWorkingDir: root, bundle: true, platform: 'node', target: 'node20.19', logLevel: 'warning' };
  for (const [name, entry] of Object.entries(bundles)) {
    await esbuild.build({
      ...common,
      entryPoints: { [name]: entry },
      outdir: `${root}dist`,
      outExtension: { '.js': '.cjs' },
      format: 'cjs',
      minifySyntax: true,
      minifyWhitespace: true,
      // Names are for stacks, and take their time at each start; kept beside shorter ones they take it at each call.
      minifyIdentifiers: name === 'hook',
      // As large as all the rest, and loaded for a picture only: from node_modules, then.
      external: ['@viz-js/viz'],
      // A script that V8 runs from its cache has no import(): that becomes require().
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'importMetaUrl' },
      banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
    });
  }
  await esbuild.build({
    ...common,
    entryPoints: { 'batch-worker': 'src/batch/worker.ts' },
    outdir: `${root}dist`,
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
  });
  await esbuild.build({
    ...common,
    entryPoints: ['src/index.ts'],
    outfile: `${root}dist/index.js`,
    format: 'esm',
    packages: 'external',
  });
  // What has run once is in the cache: a rewrite of a sample is what most starts are for, and for the hook a domain in order.
  const topology = ['--topology', `${root}samples/hosts/host-a.json`];
  const converted = run('vsmmu', ['rewrite', ...topology, `${root}samples/domains/ml-train.xml`, '--quiet'], '');
  run('hook', ['hook', 'run', '--policy', '/nowhere', ...topology, '--', 'vm', 'prepare', 'begin', '-'], converted);
}

/** Has the code of a bundle compiled, in a process of its own that runs it with these arguments; what that prints. */
function run(name, args, input) {
  const argv = [fileURLToPath(import.meta.url), 'compile', name, ...args];
  const { status, stdout } = spawnSync(process.execPath, argv, { input, stdio: ['pipe', 'pipe', 'inherit'] });
  if (status !== 0) process.exitCode = 1;
  return stdout;
}

/** Runs a bundle with these arguments and keeps what V8 made of it. */
function compile(name, args) {
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  const script = new Script(Module.wrap(readFileSync(bundle(name), 'utf8')), { filename: bundle(name) });
  process.on('exit', () => writeFileSync(`${bundle(name)}.cache`, script.createCachedData()));
  const require = createRequire(bundle(name));
  script.runInThisContext()({}, require, { exports: {} }, bundle(name), `${root}dist`);
}
