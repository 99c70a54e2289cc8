import { CODES, type DiagnosticCode } from '../../diagnostics/codes.js';
import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import type { Command } from '../command.js';
import { suggestion } from '../command-line.js';
import { print } from '../io/terminal.js';
import { flag, isSet, type OptionValues, soleOperand } from '../options.js';
import { ALL_CODES, explain, renderExplanation, renderList } from '../render/explanation.js';
import { printJson } from '../report.js';

export const command: Command = {
  usage: 'explain [CODE]',
  summary: 'print what a diagnostic means, its cause and its remedy; without a code, list all codes',
  options: { json: flag('print one JSON document') },
  examples: [
    ['$0 explain group-shared', 'explains vm.xml:113:5: warning: group-shared: …'],
    ['$0 explain | less', 'all codes'],
  ],
  run,
};

/** `vsmmu explain [CODE]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const name = operands.length === 0 ? undefined : soleOperand(operands, 'code');
  if (name === undefined) {
    if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], codes: ALL_CODES.map(explain) });
    else print(renderList());
    return;
  }
  if (!isCode(name)) {
    const hint = (await suggestion(name, ALL_CODES, '')) ?? 'vsmmu explain lists all codes';
    throw new InputError(usage.unknown({ what: 'code', name, hint }));
  }
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], code: explain(name) });
  else print(renderExplanation(explain(name)));
}

function isCode(name: string): name is DiagnosticCode {
  return Object.hasOwn(CODES, name);
}
