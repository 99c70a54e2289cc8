import { HOOK_TEMPLATE } from '../../generated/hook-script.js';
import { findHook, installHook, refreshedScript } from '../../libvirt/hook-file.js';
import { ownProgram } from '../../runtime.js';
import type { Command } from '../command.js';
import { folderOf, HOOK_FOLDER_OPTIONS, printResult, requireNoOperand } from '../hook/installation.js';
import type { OptionValues } from '../options.js';

export const command: Command = {
  usage: 'hook refresh',
  internal: true,
  summary: 'update the script of an installed hook; an upgrade of the package calls this',
  options: HOOK_FOLDER_OPTIONS,
  examples: [['$0 hook refresh', '']],
  run,
};

/** `vsmmu hook refresh`: called when the package is upgraded. If the hook is not installed, it does nothing. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  requireNoOperand(operands, 'hook refresh');
  const hook = findHook(folderOf(options));
  const changed =
    hook !== undefined && (await installHook(hook.file, refreshedScript(HOOK_TEMPLATE, hook, ownProgram())));
  const line = hook ? `${hook.file} is ${changed ? 'updated' : 'already up to date'}` : 'the hook is not installed';
  printResult(options, { changed, diagnostics: [] }, line);
}
