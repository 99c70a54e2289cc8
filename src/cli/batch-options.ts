import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import {
  flag,
  HOST_OPTIONS,
  type Options,
  type OptionValues,
  policyOptions,
  STATE_FOLDERS,
  text,
  value,
} from './options.js';

/** Options that select the domains. */
const SOURCE_OPTIONS: Options = {
  connect: text('convert domains of the libvirt at this URI', {
    alias: 'c',
    defaultDescription: 'LIBVIRT_DEFAULT_URI, else qemu:///system',
    conflicts: 'dir',
  }),
  all: flag('convert all domains of that libvirt'),
  dir: text('convert the files *.xml below this folder instead', { value: 'folder' }),
  out: text('with --dir: write the results below this folder', { value: 'folder', conflicts: 'in-place' }),
  'in-place': flag('with --dir: replace the files'),
  'include-saved': flag(
    'also convert domains that have a managed save or snapshots with memory, which then no longer match the domain',
  ),
};

/** The option for the state folder. */
export const STATE_OPTIONS: Options = {
  state: text('the folder with the journals and backups of the runs', {
    value: 'folder',
    defaultDescription: STATE_FOLDERS,
  }),
};

/** Options of every batch command that changes domains. */
export const RUN_OPTIONS: Options = {
  ...STATE_OPTIONS,
  jobs: text('the number of domains to process in parallel', { defaultDescription: 'one per CPU' }),
  'fail-fast': flag('stop after the first domain that fails'),
  wait: text('the number of seconds to wait until another run ends', { defaultDescription: 'no limit' }),
};

/** How a batch explains `--verbose`. */
export const BATCH_VERBOSE: Options = { verbose: flag('print all diagnostics of each domain') };

/** Returns the options of `batch convert`, except those that every command has. */
export function convertOptions(): Options {
  return {
    ...SOURCE_OPTIONS,
    apply: flag('make the changes; without it, they are only printed'),
    diff: flag('print a unified diff per domain instead of one line'),
    html: text('write an HTML report with a picture of each plan to this file', { value: 'file' }),
    ...RUN_OPTIONS,
    ...HOST_OPTIONS,
    'topology-map': text('with --dir: a JSON file that maps each domain to the snapshot of its host', {
      conflicts: 'topology',
    }),
    'ssh-topology': flag('read the topology of the host in --connect, by running vsmmu topology over ssh', {
      conflicts: 'topology',
    }),
    ...policyOptions(),
  };
}

/** Returns how many seconds to wait for another run; undefined for no limit. @throws InputError `usage` */
export function waitOf(options: OptionValues): number | undefined {
  return number(options, 'wait', 0, 7 * 24 * 3600);
}

/** Returns the value of a numeric option; undefined if not given. @throws InputError `usage` */
export function number(options: OptionValues, name: string, least: number, most: number): number | undefined {
  const given = value(options, name);
  if (given === undefined) return undefined;
  const found = /^\d{1,9}$/.test(given) ? Number(given) : -1;
  if (found >= least && found <= most) return found;
  throw new InputError(
    usage.value({ option: `--${name}`, expected: `a number from ${least} to ${most}`, value: given }),
  );
}
