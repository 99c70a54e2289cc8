import { homedir } from 'node:os';
import { join } from 'node:path';
import { type OptionValues, value } from './options.js';

/** The folder that keeps what there was before: for root the system's, for others their own. */
export function stateFolder(options: OptionValues): string {
  const own = process.env.XDG_STATE_HOME || join(homedir(), '.local/state');
  return value(options, 'state') ?? (process.getuid?.() === 0 ? '/var/lib/vsmmu' : join(own, 'vsmmu'));
}
