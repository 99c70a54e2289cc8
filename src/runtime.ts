import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The command that starts this program: Node.js with a file, or the standalone executable alone. */
export interface Program {
  /** Path of Node.js; empty for the standalone executable. */
  readonly node: string;
  /** Path of the file that Node.js runs, or of the executable. */
  readonly vsmmu: string;
}

/** Returns how the running program was started, as absolute paths without links. */
export function ownProgram(): Program {
  const runtime = realpathSync(process.execPath);
  if (process.versions.bun !== undefined) return { node: '', vsmmu: runtime };
  return { node: runtime, vsmmu: realpathSync(fileURLToPath(new URL('../bin/vsmmu', import.meta.url))) };
}
