import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import type { Command } from '../command.js';
import { print } from '../io/terminal.js';
import { type OptionValues, soleOperand } from '../options.js';
import { completionScript, SHELLS } from '../render/completion.js';

export const command: Command = {
  usage: 'completion SHELL',
  summary: 'print the completion script for bash, zsh or fish',
  options: {},
  examples: [
    ['eval "$($0 completion bash)"', 'in ~/.bashrc'],
    ['eval "$($0 completion zsh)"', 'in ~/.zshrc'],
    ['$0 completion fish | source', 'in ~/.config/fish/config.fish'],
  ],
  run,
};

/** `vsmmu completion SHELL`. */
async function run(operands: readonly string[], _options: OptionValues): Promise<void> {
  if (operands.length === 0) throw new InputError(usage.give({ what: `a shell: ${SHELLS.join(', ')}` }));
  print(completionScript(soleOperand(operands, 'shell')));
}
