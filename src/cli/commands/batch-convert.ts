import { convertBatch } from '../batch-conversion.js';
import { convertOptions } from '../batch-options.js';
import type { Command } from '../command.js';
import { OUTPUT_OPTIONS, TARGET_OPTIONS } from '../options.js';

export const command: Command = {
  usage: 'batch convert [NAME...]',
  subject: 'vsmmu',
  summary: 'convert many domains, of a libvirt or of a folder; tells only what it would do unless given --apply',
  options: { ...convertOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS },
  examples: [
    ['$0 batch convert --all', "what would happen to each domain of this machine's libvirt"],
    ['$0 batch convert --all --apply', 'do it'],
    ['$0 batch convert --dir domains --in-place --topology host.json --diff', 'the files of a folder'],
  ],
  run: convertBatch,
};
