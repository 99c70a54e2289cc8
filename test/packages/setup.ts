import { spawnSync } from 'node:child_process';
import { REPOSITORY } from '../../bin/build/repository.js';

/** Builds the packages once for all tests of this folder. */
export function setup(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'package'], { cwd: REPOSITORY, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run package failed');
}
