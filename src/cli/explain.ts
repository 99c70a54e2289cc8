import { CODES, type DiagnosticCode } from '../diagnostics/codes.js';
import type { CodeInfo } from '../diagnostics/diagnostic.js';
import { diagnostic, InputError } from '../diagnostics.js';
import { suggestion } from './command-line.js';
import { print } from './io/terminal.js';
import { isSet, type OptionValues, soleOperand } from './options.js';
import { printJson } from './report.js';
import { colours, listItem, paragraph } from './typeset.js';

/** A code with its explanation. */
export interface Explained extends Pick<CodeInfo, 'severity' | 'meaning' | 'why' | 'remedy' | 'example'> {
  readonly code: DiagnosticCode;
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
    const hint = (await suggestion(name, codes(), '')) ?? 'vsmmu explain lists all codes';
    throw new InputError(diagnostic('usage', `there is no code ${name}`, { hint }));
  }
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], code: explain(name) });
  else print(renderExplanation(explain(name)));
}

const codes = (): readonly DiagnosticCode[] => Object.keys(CODES) as DiagnosticCode[];

function isCode(name: string): name is DiagnosticCode {
  return Object.hasOwn(CODES, name);
}

/** The explanation of a code, its paragraphs on one line each. */
export function explain(code: DiagnosticCode): Explained {
  const { severity, meaning, why, remedy, example } = CODES[code];
  return { code, severity, meaning, why: onOneLine(why), remedy: onOneLine(remedy), example };
}

/** Lists all codes with their meaning. */
function renderList(): string {
  return codes()
    .map((code) => listItem(`${code}  ${colours().dim(CODES[code].severity)}`, inPlainText(CODES[code].meaning)))
    .join('');
}

/** Lays out an explanation for a terminal, 80 columns wide; the example keeps its own lines. */
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

/** Removes the Markdown from a meaning. */
const inPlainText = (markdown: string): string => markdown.replaceAll('`', '');
