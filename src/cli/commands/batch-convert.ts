import { convertBatch } from '../batch-conversion.js';
import { BATCH_VERBOSE, convertOptions } from '../batch-options.js';
import type { Command } from '../command.js';
import { OUTPUT_OPTIONS, TARGET_OPTIONS } from '../options.js';

export const command: Command = {
  usage: 'batch convert [NAME...]',
  subject: 'vsmmu',
  summary: 'convert many domains of libvirt or of a folder; without --apply, only print what would change',
  details: [
    'With --apply, each domain is dumped with its passwords, backed up, converted, checked, defined and read back. Running domains are not stopped; a change takes effect at the next start. A domain with saved memory is skipped unless --include-saved is given.',
    'Each step is recorded in a journal before it is done. So a run can be interrupted at any time (Ctrl-C, kill -9, power failure) and continued by vsmmu batch resume: no domain is lost and none is converted twice. If libvirt restarts, the run waits for it. A domain that cannot be written, or that is edited or removed during the run, is reported, and the run continues.',
    'Only one run at a time can use a state folder or change a folder of files; a second run waits (--wait). Only the owner can read the stored runs. A remote --connect needs --topology or --ssh-topology.',
  ],
  options: { ...convertOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS, ...BATCH_VERBOSE },
  examples: [
    ['$0 batch convert --all', 'what would change in each domain of the local libvirt'],
    ['$0 batch convert --all --apply', 'convert them'],
    ['$0 batch convert --dir domains --in-place --topology host.json --diff', 'the files of a folder'],
  ],
  run: convertBatch,
};
