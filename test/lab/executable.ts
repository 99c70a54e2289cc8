/** The standalone executable for this machine, as `npm run package` builds it, for the lab and the benchmark. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ownArchitecture } from '../../bin/build/bun.js';
import { buildExecutable } from '../../bin/build/executable.js';
import { REPOSITORY } from '../../bin/build/repository.js';
import { LabError } from './process.js';

const folder = join(REPOSITORY, 'executable');

/** Builds the executable: takes three seconds, and downloads Bun the first time. */
export function buildOwnExecutable(): string {
  return buildExecutable(ownArchitecture(), folder).path;
}

/** Returns its path. Throws LabError if it has not been built. */
export function ownExecutable(): string {
  const path = join(folder, 'vsmmu');
  if (!existsSync(path)) throw new LabError('the executable is not built: npm run test:lab builds it');
  return path;
}
