/**
 * `npm run package [-- VERSION]`: builds all installable files into `packages/`: a standalone executable, a .deb and an .rpm
 * per architecture, and the npm package. It needs dpkg-deb and rpmbuild, and the npm registry to download Bun the first time.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ARCHITECTURES } from './bun.js';
import { buildDeb } from './deb.js';
import { buildExecutable } from './executable.js';
import { release } from './release.js';
import { REPOSITORY } from './repository.js';
import { buildRpm } from './rpm.js';
import { runProgram } from './run-program.js';

const folder = join(REPOSITORY, 'packages');
const scratch = join(folder, 'scratch');
const made = release(process.argv[2]);
rmSync(folder, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
try {
  for (const architecture of ARCHITECTURES) {
    const executable = buildExecutable(architecture, join(scratch, architecture));
    const plain = join(folder, `vsmmu-${made.version}-${architecture}`);
    cpSync(executable.path, plain);
    say(plain);
    say(buildDeb(architecture, executable, made, scratch, folder));
    say(buildRpm(architecture, executable, made, scratch, folder));
  }
  const tarball = runProgram('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: REPOSITORY });
  say(join(folder, tarball.trim().split('\n').at(-1) ?? ''));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function say(path: string): void {
  process.stdout.write(`${path.slice(REPOSITORY.length)}\n`);
}
