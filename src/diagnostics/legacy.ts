import type { CodeInfo } from './diagnostic.js';

export const LEGACY = {
  // The document

  // The domain

  // Whether the domain is to change at all

  // Each device

  // What may run out

  // What an earlier run did

  // NUMA and memory

  // What only a check finds

  // Policy, command line, files
  usage: { severity: 'error', meaning: 'the command line is wrong', hint: 'see vsmmu --help' },

  // The host

  // libvirt

  // Many domains at once
} as const satisfies Record<string, Pick<CodeInfo, 'severity' | 'meaning' | 'hint'>>;
