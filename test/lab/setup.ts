/** Before any test: the root is there, or one line says why it cannot be. */
import { sayOnStderr } from './lab.js';
import { LabError } from './process.js';
import { openRoot } from './rootfs.js';

export async function setup(): Promise<void> {
  try {
    const root = await openRoot(sayOnStderr);
    await root.release();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    sayOnStderr(error.message);
    process.exit(3);
  }
}
