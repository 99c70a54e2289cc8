import { diagnostic, InputError } from '../diagnostics.js';
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

/** Which domains. */
const SOURCE_OPTIONS: Options = {
  connect: text('the libvirt whose domains are converted', {
    alias: 'c',
    defaultDescription: 'LIBVIRT_DEFAULT_URI, else qemu:///system',
    conflicts: 'dir',
  }),
  all: flag('all of its domains'),
  dir: text('convert the files *.xml below this folder instead', { value: 'folder' }),
  out: text('with --dir: write the results below this folder', { value: 'folder', conflicts: 'in-place' }),
  'in-place': flag('with --dir: change the files themselves'),
  'include-saved': flag('domains with a managed save or memory snapshots, too: what is saved will not fit them'),
};

/** What is kept of a run, and where. */
export const STATE_OPTIONS: Options = {
  state: text('the folder that runs are kept in', { value: 'folder', defaultDescription: STATE_FOLDERS }),
};

/** How a run goes. */
export const RUN_OPTIONS: Options = {
  ...STATE_OPTIONS,
  jobs: text('how many domains at a time', { defaultDescription: 'as many as there are cores' }),
  'fail-fast': flag('end after the first domain that fails'),
  wait: text('how many seconds to wait for another run to end', { defaultDescription: 'as long as it takes' }),
};

/** What `batch convert` takes beside what every command takes. */
export function convertOptions(): Options {
  return {
    ...SOURCE_OPTIONS,
    apply: flag('do it; without it, only what would be done is told'),
    diff: flag('print a unified diff of each domain instead of a line'),
    html: text('write a report with a picture of each plan to this file', { value: 'file' }),
    ...RUN_OPTIONS,
    ...HOST_OPTIONS,
    'topology-map': text('with --dir: a JSON file that names the topology of each domain', { conflicts: 'topology' }),
    'ssh-topology': flag('run vsmmu topology on the host of --connect', { conflicts: 'topology' }),
    ...policyOptions(),
  };
}

/** How many seconds to wait for another run. @throws InputError `usage` */
export function waitOf(options: OptionValues): number | undefined {
  return number(options, 'wait', 0, 7 * 24 * 3600);
}

/** The value of an option that is a number; undefined where it was not given. @throws InputError `usage` */
export function number(options: OptionValues, name: string, least: number, most: number): number | undefined {
  const given = value(options, name);
  if (given === undefined) return undefined;
  const found = /^\d{1,9}$/.test(given) ? Number(given) : -1;
  if (found >= least && found <= most) return found;
  throw new InputError(diagnostic('usage', `--${name} takes a number from ${least} to ${most}, not ${given}`));
}
