import { existsSync } from 'node:fs';
import { hookDiffers } from '../../diagnostics/integrations.js';
import { findHook, hookProblems, type InstalledHook } from '../../libvirt/hook-file.js';
import { readPolicyKeys } from '../../policy/policy.js';
import type { Command } from '../command.js';
import { exposures, folderOf, HOOK_FOLDER_OPTIONS, requireNoOperand } from '../hook/installation.js';
import { readExisting } from '../io/files.js';
import { print } from '../io/terminal.js';
import { isSet, type OptionValues, policyOf } from '../options.js';
import { type Located, printJson, report } from '../report.js';

export const command: Command = {
  usage: 'hook status',
  summary: 'print whether the hook is installed and what it does; exit code 1 if it is not installed or cannot run',
  options: HOOK_FOLDER_OPTIONS,
  examples: [['$0 hook status', '']],
  run,
};

/** `vsmmu hook status`: 0 if it is installed and can run. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  requireNoOperand(operands, 'hook status');
  const hook = findHook(folderOf(options));
  const mode = hook?.mode;
  const { convertOnStop } = policyOf(hook ? optionsOf(hook) : {}, { mayBeMissing: true });
  const diagnostics = [...exposures(hook), ...(hook ? differences(hook) : [])];
  const broken = hook ? hookProblems(hook) : [];
  if (isSet(options, 'json')) {
    const found = { ...hook, broken, convertOnStop };
    printJson({ changed: false, diagnostics, installed: hook !== undefined, ...(hook && found) });
  } else if (!hook) print('not installed\n');
  else {
    const rows = [
      ['script', hook.file],
      ...(hook.node === '' ? [] : [['Node', hook.node]]),
      ['vsmmu', hook.vsmmu],
      ['policy', `${hook.policy}${existsSync(hook.policy ?? '') ? '' : ' (does not exist: the defaults apply)'}`],
      [
        'at a start',
        mode === 'enforce'
          ? 'refuses a domain that has an error on this host or is not converted for it'
          : 'warns about a domain that has an error on this host or is not converted for it',
      ],
      ['at a stop', convertOnStop ? 'converts the domain, if needed' : 'does nothing'],
      ['log', hook.log || 'none'],
      ...broken.map((what) => ['BROKEN', what]),
    ];
    print(rows.map(([what = '', is = '']) => `${what.padEnd(12)}${is}\n`).join(''));
    report(diagnostics, options);
  }
  return hook && broken.length === 0 ? 0 : 1;
}

/** Returns a diagnostic if the mode in the policy differs from that of the installed hook. */
function differences({ file, policy = '', mode }: InstalledHook): Located[] {
  const text = readExisting(policy);
  const wanted = text === undefined ? undefined : readPolicyKeys(text, policy).hook;
  if (wanted === undefined || wanted === mode) return [];
  return [{ ...hookDiffers({ policy, wanted, installed: mode }), file }];
}

/** Returns the policy options that the hook passes to its program. */
function optionsOf({ policy, convertOnStop }: InstalledHook): OptionValues {
  return { policy, ...(convertOnStop && { 'convert-on-stop': true }) };
}
