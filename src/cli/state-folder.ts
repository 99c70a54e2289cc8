import { homedir } from 'node:os';
import { join } from 'node:path';
import { type OptionValues, value } from './options.js';

/** Returns the state folder, which keeps runs and backups: for root the system's, for other users their own. */
export function stateFolder(options: OptionValues): string {
  const own = process.env.XDG_STATE_HOME || join(homedir(), '.local/state');
  return value(options, 'state') ?? (process.getuid?.() === 0 ? '/var/lib/vsmmu' : join(own, 'vsmmu'));
}
