import { findHook, uninstallHook } from '../../libvirt/hook-file.js';
import type { Command } from '../command.js';
import { folderOf, HOOK_FOLDER_OPTIONS, printResult, requireNoOperand } from '../hook/installation.js';
import type { OptionValues } from '../options.js';

export const command: Command = {
  usage: 'hook uninstall',
  summary: "remove libvirt's qemu hook",
  options: HOOK_FOLDER_OPTIONS,
  examples: [['$0 hook uninstall', '']],
  run,
};

/** `vsmmu hook uninstall`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  requireNoOperand(operands, 'hook uninstall');
  const hook = findHook(folderOf(options));
  if (hook) uninstallHook(hook);
  printResult(
    options,
    { changed: hook !== undefined, diagnostics: [] },
    hook ? `removed ${hook.file}` : 'the hook is not installed',
  );
}
