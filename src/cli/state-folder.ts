import { homedir } from 'node:os';
import { join } from 'node:path';
import { type OptionValues, value } from './options.js';

/** Returns the folder for runs and backups: `--state`, else `/var/lib/vsmmu` for root, else one in the home directory. */
export function stateFolder(options: OptionValues): string {
  const own = process.env.XDG_STATE_HOME || join(homedir(), '.local/state');
  return value(options, 'state') ?? (process.getuid?.() === 0 ? '/var/lib/vsmmu' : join(own, 'vsmmu'));
}
