/** The standalone executable for this machine, as `npm run package` builds it: what the lab and the bench run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ownArchitecture } from '../../bin/build/bun.js';
import { buildExecutable } from '../../bin/build/executable.js';
import { REPOSITORY } from '../../bin/build/repository.js';
import { LabError } from './process.js';

const folder = join(REPOSITORY, 'executable');

/** Builds it from the sources: three seconds, and the first time a download. */
export function buildOwnExecutable(): string {
  return buildExecutable(ownArchitecture(), folder).path;
}

/** Its path. Throws LabError where nobody built it. */
export function ownExecutable(): string {
  const path = join(folder, 'vsmmu');
  if (!existsSync(path)) throw new LabError('the executable is not built: npm run test:lab builds it');
  return path;
}
