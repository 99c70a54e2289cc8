import { convertBatch } from '../batch-conversion.js';
import { convertOptions } from '../batch-options.js';
import type { Command } from '../command.js';
import { OUTPUT_OPTIONS, TARGET_OPTIONS } from '../options.js';

export const command: Command = {
  usage: 'batch convert [NAME...]',
  subject: 'vsmmu',
  summary: 'convert many domains of libvirt or of a folder; without --apply, only print what would change',
  options: { ...convertOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS },
  examples: [
    ['$0 batch convert --all', 'what would change in each domain of the local libvirt'],
    ['$0 batch convert --all --apply', 'convert them'],
    ['$0 batch convert --dir domains --in-place --topology host.json --diff', 'the files of a folder'],
  ],
  run: convertBatch,
};
