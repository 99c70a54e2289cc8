import { CODES, type DiagnosticCode } from '../codes.js';
import { diagnostic, InputError } from '../diagnostics.js';
import { EXPLANATIONS, type Explanation } from '../explanations.js';
import { suggestion } from './command-line.js';
import { print } from './io/terminal.js';
import { isSet, type OptionValues, soleOperand } from './options.js';
import { printJson } from './report.js';
import { colours, listItem, paragraph } from './typeset.js';

/** A code with all there is to say about it. */
export interface Explained extends Explanation {
  readonly code: DiagnosticCode;
  readonly severity: string;
  readonly meaning: string;
}

/** `vsmmu explain [CODE]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const name = operands.length === 0 ? undefined : soleOperand(operands, 'code');
  if (name === undefined) {
    if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], codes: codes().map(explain) });
    else print(renderList());
    return;
  }
  if (!isCode(name)) {
    const hint = (await suggestion(name, codes(), '')) ?? 'vsmmu explain lists all there are';
    throw new InputError(diagnostic('usage', `there is no code ${name}`, { hint }));
  }
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], code: explain(name) });
  else print(renderExplanation(explain(name)));
}

const codes = (): readonly DiagnosticCode[] => Object.keys(CODES) as DiagnosticCode[];

function isCode(name: string): name is DiagnosticCode {
  return Object.hasOwn(CODES, name);
}

/** All there is to say about a code. */
export function explain(code: DiagnosticCode): Explained {
  const { severity, meaning } = CODES[code];
  const { why, remedy, example } = EXPLANATIONS[code];
  return { code, severity, meaning, why: onOneLine(why), remedy: onOneLine(remedy), example };
}

/** The list of all codes, each with what it means. */
function renderList(): string {
  return codes()
    .map((code) => listItem(`${code}  ${colours().dim(CODES[code].severity)}`, inPlainText(CODES[code].meaning)))
    .join('');
}

/** It for reading, 80 columns wide but for the example, which is as it is typed. */
export function renderExplanation({ code, severity, meaning, why, remedy, example }: Explained): string {
  const { bold, dim } = colours();
  const sections = [
    `${bold(code)}  ${dim(severity)}\n${paragraph(inPlainText(meaning))}`,
    `${bold('Why')}\n${paragraph(why)}`,
    `${bold('What to do')}\n${paragraph(remedy)}`,
    `${bold('Example')}\n${example.replace(/^(?=.)/gm, '    ')}\n`,
  ];
  return sections.join('\n');
}

const onOneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** A meaning without the marks of the Markdown that it has in the documentation. */
const inPlainText = (markdown: string): string => markdown.replaceAll('`', '');
