/** Makes the root and the executable before the tests, or prints one line with the reason why it cannot. Prints the counts at the end. */
import type { TestProject } from 'vitest/node';
import { sumUp } from './counts.js';
import { buildOwnExecutable } from './executable.js';
import { sayOnStderr } from './lab.js';
import { LabError } from './process.js';
import { openRoot } from './rootfs.js';

export async function setup(project: TestProject): Promise<() => void> {
  try {
    const root = await openRoot(sayOnStderr);
    await root.release();
    buildOwnExecutable();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    sayOnStderr(error.message);
    process.exit(3);
  }
  // Not a reporter: a command line that names reporters replaces those of the configuration.
  return () => void process.stdout.write(`lab: ${sumUp(project.vitest.state.getTestModules())}\n`);
}
