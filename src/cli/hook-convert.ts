import { diagnostic, InputError } from '../diagnostics.js';
import { run as convert } from './batch-convert.js';
import type { OptionValues } from './options.js';
import { place } from './place.js';

/**
 * `vsmmu hook convert UUID`: converts a domain for its next start if it needs it, as `batch convert` does, with backup and
 * journal. The hook starts it when a domain stops. One that needs nothing leaves no run behind.
 * @throws RefusedError where it cannot be placed on this host
 */
export async function run(operands: readonly string[], given: OptionValues): Promise<number> {
  const [uuid, ...more] = operands;
  if (uuid === undefined || more.length > 0) throw new InputError(diagnostic('usage', 'hook convert takes one UUID'));
  const options = { connect: 'qemu:///system', ...given };
  const { changed } = await place(uuid, options);
  if (!changed) return 0;
  return await convert([uuid], { ...options, apply: true, jobs: '1' });
}
