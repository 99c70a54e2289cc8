import { resolve } from 'node:path';
import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { HOOK_TEMPLATE } from '../../generated/hook-script.js';
import { findHook, hookPath, hookScript, installHook } from '../../libvirt/hook-file.js';
import { ownProgram } from '../../runtime.js';
import type { Command } from '../command.js';
import {
  DEFAULT_HOOK_LOG,
  exposures,
  folderOf,
  HOOK_FOLDER_OPTIONS,
  printResult,
  requireNoOperand,
} from '../hook/installation.js';
import { DEFAULT_POLICY_FILE, hookOptions, isSet, type OptionValues, policyOf, value } from '../options.js';
import { report } from '../report.js';

export const command: Command = {
  usage: 'hook install',
  summary: "install libvirt's qemu hook, which checks domains when they start",
  details: [
    'Writes a script to /etc/libvirt/hooks/qemu.d; libvirt finds it at its next start. From then on, each domain is checked for this host when it starts. With --hook warn, problems are logged; with enforce, the start is refused, and virsh prints the reason and the command to run.',
    'With --convert-on-stop, a domain is converted for its next start when it stops, if needed. A separate process does this, because a hook cannot change a domain that is starting, and must not call libvirt. vsmmu batch rollback restores the domain.',
    'The script starts no program for operations other than prepare begin and release end, nor for domains without a host device, so it cannot affect running guests while libvirt restarts. If the check cannot complete within --limit (crash, time-out, unreadable policy), warn starts the guest anyway and enforce refuses it. Time spent waiting for a CPU does not count towards the limit.',
    'The mode is fixed when the hook is installed; the other keys of the policy are read at each start. If the key hook of the policy changes, install the hook again; until then, vsmmu hook status reports the difference.',
  ],
  options: { ...hookOptions(), ...HOOK_FOLDER_OPTIONS },
  examples: [
    ['$0 hook install', 'warn about domains that have an error on this host or are not converted for it'],
    ['$0 hook install --hook enforce', 'refuse their start'],
    ['$0 hook install --convert-on-stop', 'convert them when they stop'],
  ],
  run,
};

const RESTART =
  'libvirt looks for hooks when it starts: restart virtqemud (or libvirtd) unless a hook was there when it started';

/** `vsmmu hook install`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  requireNoOperand(operands, 'hook install');
  const limit = value(options, 'limit') ?? '5';
  if (!/^[1-9]\d?$/.test(limit)) {
    throw new InputError(usage.value({ option: '--limit', expected: '1 to 99 seconds', value: limit }));
  }
  const path = (option: string, otherwise: string): string => {
    const given = value(options, option);
    return given === undefined ? otherwise : given === '' ? '' : resolve(given);
  };
  // Report an unreadable policy now, not when a guest starts.
  const policy = policyOf(options);
  const script = hookScript(HOOK_TEMPLATE, {
    ...ownProgram(),
    policy: path('policy', DEFAULT_POLICY_FILE),
    mode: policy.hook,
    log: path('log', DEFAULT_HOOK_LOG),
    limitSeconds: Number(limit),
    options: [
      ...['sysfs', 'state'].flatMap((option) =>
        options[option] === undefined ? [] : [`--${option}`, path(option, '')],
      ),
      ...['libvirt', 'qemu'].flatMap((option) => {
        const target = value(options, option);
        return target === undefined ? [] : [`--${option}`, target];
      }),
      ...['convert-on-stop', 'force-tcg'].flatMap((option) => (isSet(options, option) ? [`--${option}`] : [])),
    ],
  });
  const file = await hookPath(folderOf(options));
  const changed = await installHook(file, script);
  const diagnostics = exposures(findHook(folderOf(options)));
  report(diagnostics, options);
  printResult(
    options,
    { changed, diagnostics, file },
    changed ? `${file} is installed; ${RESTART}` : `${file} is already up to date`,
  );
}
