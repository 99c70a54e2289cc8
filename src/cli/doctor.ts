import { diagnostic, EnvironmentError, InputError } from '../diagnostics.js';
import { Host } from '../host/host.js';
import { KERNEL_LOG } from '../host/kernel-log.js';
import { THIS_MACHINE, withSysfs } from '../host/machine.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { findHook, HOOKS_FOLDER, problemsOf } from '../libvirt/hook-file.js';
import { LOCAL_SOFTWARE, readHelp, readSchema } from '../libvirt/installed.js';
import { examine } from './doctor-checks.js';
import { renderChecks } from './doctor-text.js';
import { readTextFile } from './files.js';
import { print } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { sysfsOf } from './place.js';
import { printJson } from './report.js';

const NO_HOST = new Host({ version: 1, smmus: [], devices: [], nodes: [] });

/**
 * `vsmmu doctor`: this machine from its SMMUs up to its libvirt.
 * @returns 1 where something fails, or with `--strict` needs a look
 */
export async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  if (operands.length > 0) throw new InputError(diagnostic('usage', `doctor takes no operand: ${operands[0]}`));
  const { host, trouble } = hostOf(options);
  const hook = findHook(HOOKS_FOLDER);
  const checks = examine({
    machine: withSysfs(THIS_MACHINE, sysfsOf(options)),
    host,
    trouble,
    libvirt: unlessMissing(readSchema, await LOCAL_SOFTWARE.schema()),
    qemu: unlessMissing(readHelp, await LOCAL_SOFTWARE.smmuHelp()),
    hook: hook && { file: hook.file, problems: problemsOf(hook) },
  });
  const strict = isSet(options, 'strict');
  const failed = checks.some(({ grade }) => grade === 'fail' || (strict && grade === 'warn'));
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], able: !failed, checks });
  else print(renderChecks(checks, { quiet: isSet(options, 'quiet'), verbose: isSet(options, 'verbose') }));
  return failed ? 1 : 0;
}

/** The host, and why it cannot be told, where it is this machine's own /sys that is not as it should be. */
function hostOf(options: OptionValues): { host: Host; trouble: string | undefined } {
  const file = value(options, 'topology');
  if (file !== undefined) return { host: readTopology(readTextFile(file), file), trouble: undefined };
  try {
    // The log is this machine's, and says nothing of another's /sys.
    const log = options.sysfs === undefined ? KERNEL_LOG : undefined;
    return { host: scanHost(sysfsOf(options), undefined, log), trouble: undefined };
  } catch (error) {
    if (!(error instanceof EnvironmentError) || options.sysfs !== undefined) throw error;
    return {
      host: NO_HOST,
      trouble: error.diagnostics.map(({ file: where, message }) => `${where}: ${message}`).join('; '),
    };
  }
}

/** What a program that may not be installed says of itself. */
function unlessMissing<T>(read: (text: string | undefined) => T, text: string | undefined): T | undefined {
  return text === undefined ? undefined : read(text);
}
