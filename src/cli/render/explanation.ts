import { CODES, type DiagnosticCode } from '../../diagnostics/codes.js';
import type { CodeInfo } from '../../diagnostics/diagnostic.js';
import { colours, listItem, paragraph } from './typeset.js';

/** A code with its explanation. */
export interface Explained extends Pick<CodeInfo, 'severity' | 'meaning' | 'why' | 'remedy' | 'example'> {
  readonly code: DiagnosticCode;
}

/** All codes. */
export const ALL_CODES = Object.keys(CODES) as DiagnosticCode[];

/** Returns the explanation of a code, with each paragraph on one line. */
export function explain(code: DiagnosticCode): Explained {
  const { severity, meaning, why, remedy, example } = CODES[code];
  return { code, severity, meaning, why: onOneLine(why), remedy: onOneLine(remedy), example };
}

/** Lists all codes with their meaning. */
export function renderList(): string {
  return ALL_CODES.map((code) =>
    listItem(`${code}  ${colours().dim(CODES[code].severity)}`, inPlainText(CODES[code].meaning)),
  ).join('');
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
