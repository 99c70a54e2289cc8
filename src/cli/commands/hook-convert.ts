import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { convertBatch } from '../batch-conversion.js';
import type { Command } from '../command.js';
import { CONNECT_OPTIONS, hookOptions, type OptionValues, without } from '../options.js';
import { place } from '../place.js';

export const command: Command = {
  usage: 'hook convert UUID',
  internal: true,
  summary: 'convert a domain of libvirt for its next start, if needed; the hook calls this when the domain stops',
  options: {
    ...CONNECT_OPTIONS,
    ...without(hookOptions(), 'hook', 'convert-on-stop', 'log', 'limit', 'libvirt', 'qemu'),
  },
  examples: [['$0 hook convert 6f0f2a52-1b0c-4c7e-9d7e-2f6d2d7f4a11', '']],
  run,
};

/**
 * `vsmmu hook convert UUID`: converts a domain for its next start if needed, with backup and journal like `batch
 * convert`. The hook starts this command when a domain stops. If nothing changes, no run is stored.
 * @throws RefusedError if it cannot be placed on this host
 */
async function run(operands: readonly string[], given: OptionValues): Promise<number> {
  const [uuid, ...more] = operands;
  if (uuid === undefined || more.length > 0)
    throw new InputError(usage.takes({ command: 'hook convert', expected: 'one UUID' }));
  const options = { connect: 'qemu:///system', ...given };
  const { changed } = await place(uuid, options);
  if (!changed) return 0;
  return await convertBatch([uuid], { ...options, apply: true, jobs: '1' });
}
