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
  connect: text('the libvirt whose domains are converted', {
    alias: 'c',
    defaultDescription: 'LIBVIRT_DEFAULT_URI, else qemu:///system',
    conflicts: 'dir',
  }),
  all: flag('convert all its domains'),
  dir: text('convert the files *.xml below this folder instead', { value: 'folder' }),
  out: text('with --dir: write the results below this folder', { value: 'folder', conflicts: 'in-place' }),
  'in-place': flag('with --dir: replace the files'),
  'include-saved': flag(
    'also convert domains with a managed save or memory snapshots, which will not fit them afterwards',
  ),
};

/** The option for the state folder. */
export const STATE_OPTIONS: Options = {
  state: text('the folder that keeps the runs', { value: 'folder', defaultDescription: STATE_FOLDERS }),
};

/** Options of every batch command that changes domains. */
export const RUN_OPTIONS: Options = {
  ...STATE_OPTIONS,
  jobs: text('how many domains to convert in parallel', { defaultDescription: 'one per CPU' }),
  'fail-fast': flag('stop after the first domain that fails'),
  wait: text('how many seconds to wait for another run to end', { defaultDescription: 'no limit' }),
};

/** Returns the options of `batch convert`, except those that every command has. */
export function convertOptions(): Options {
  return {
    ...SOURCE_OPTIONS,
    apply: flag('make the changes; without it, they are only printed'),
    diff: flag('print a unified diff per domain instead of a line'),
    html: text('write a report with a picture of each plan to this file', { value: 'file' }),
    ...RUN_OPTIONS,
    ...HOST_OPTIONS,
    'topology-map': text('with --dir: a JSON file that names the topology of each domain', { conflicts: 'topology' }),
    'ssh-topology': flag('run vsmmu topology on the host of --connect, over ssh', { conflicts: 'topology' }),
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
