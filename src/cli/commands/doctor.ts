import { EnvironmentError, InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { examine } from '../../doctor/examine.js';
import { type Host, NO_HOST } from '../../host/host.js';
import { THIS_MACHINE, withSysfs } from '../../host/machine.js';
import { findHook, HOOKS_FOLDER, hookProblems } from '../../libvirt/hook-file.js';
import { LOCAL_SOFTWARE, readHelp, readSchema } from '../../libvirt/installed.js';
import type { Command } from '../command.js';
import { readHost, sysfsOf } from '../host.js';
import { print } from '../io/terminal.js';
import { flag, HOST_OPTIONS, isSet, type OptionValues, OUTPUT_OPTIONS } from '../options.js';
import { PROBE_OPTIONS, probe } from '../probe.js';
import { renderChecks } from '../render/doctor.js';
import { printJson } from '../report.js';

export const command: Command = {
  usage: 'doctor',
  summary: 'check whether this machine can accelerate vSMMUs: its SMMUs, kernel, QEMU and libvirt',
  details: [
    'Prints PASS, WARN or FAIL per check, as virt-host-validate does, with a remedy. Given a snapshot (--topology), it reports only the host checks.',
    '--probe opens a device as QEMU does, reads the ID registers of its SMMU, and tests whether nested translation works. The device must be idle and already bound to vfio-pci: --probe does not bind it. One device per SMMU is enough.',
  ],
  options: {
    ...HOST_OPTIONS,
    ...PROBE_OPTIONS,
    ...OUTPUT_OPTIONS,
    verbose: flag('print all details of each check'),
  },
  examples: [
    ['$0 doctor', 'PASS, WARN or FAIL for each, and what to do about it'],
    ['$0 doctor --probe 0000:11:00.0', "also the features of that device's SMMU, and whether nesting works"],
    ['$0 doctor --json', 'for programs; "able" is true if nothing fails'],
  ],
  subject: 'vsmmu',
  run,
};

/**
 * `vsmmu doctor`: checks this machine, from its SMMUs to its libvirt.
 * @returns 1 if a check fails, or with `--strict` if one warns
 */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  if (operands.length > 0) throw new InputError(usage.noOperand({ command: 'doctor', operand: operands[0] ?? '' }));
  const { host: scanned, hostProblem } = hostOf(options);
  const { host, probes } = await probe(scanned, options);
  const hook = findHook(HOOKS_FOLDER);
  const checks = examine({
    machine: withSysfs(THIS_MACHINE, sysfsOf(options)),
    host,
    hostProblem,
    probes,
    libvirt: unlessMissing(readSchema, await LOCAL_SOFTWARE.schema()),
    qemu: unlessMissing(readHelp, await LOCAL_SOFTWARE.smmuHelp()),
    hook: hook && { file: hook.file, problems: hookProblems(hook) },
  });
  const strict = isSet(options, 'strict');
  const failed = checks.some(({ grade }) => grade === 'fail' || (strict && grade === 'warn'));
  if (isSet(options, 'json'))
    printJson({ changed: false, diagnostics: [], able: !failed, checks, ...(probes.length > 0 && { probes }) });
  else print(renderChecks(checks, { quiet: isSet(options, 'quiet'), verbose: isSet(options, 'verbose') }));
  return failed ? 1 : 0;
}

/** Returns the host, or why the /sys of this machine cannot be read. */
function hostOf(options: OptionValues): { host: Host; hostProblem: string | undefined } {
  try {
    return { host: readHost(options, { features: true }), hostProblem: undefined };
  } catch (error) {
    const isThisMachine = options.sysfs === undefined && options.topology === undefined;
    if (!(error instanceof EnvironmentError) || !isThisMachine) throw error;
    return {
      host: NO_HOST,
      hostProblem: error.diagnostics.map(({ file: where, message }) => `${where}: ${message}`).join('; '),
    };
  }
}

/** Applies `read` to the output of a program; returns undefined if the program is not installed. */
function unlessMissing<T>(read: (text: string | undefined) => T, text: string | undefined): T | undefined {
  return text === undefined ? undefined : read(text);
}
