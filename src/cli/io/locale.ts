import { codeOf } from '../../escape.js';

/** ASCII replacements for drawing and punctuation characters. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  '├': '|',
  '└': '`',
  '│': '|',
  '─': '-',
  '–': '-',
  '—': '-',
  '…': '...',
  '’': "'",
  '×': 'x',
  '→': '->',
};

/**
 * Whether text for people may contain non-ASCII characters: the character set of LC_ALL, LC_CTYPE or LANG, in this
 * order, is UTF-8. If none of them is set, UTF-8 is used, as in Python (PEP 538); `LC_ALL=C` selects ASCII.
 */
export function hasUtf8(environment: NodeJS.ProcessEnv = process.env): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG;
  return !locale || /\.utf-?8(@|$)/i.test(locale);
}

/** Converts text to ASCII: similar characters if there are any, else codes such as `\u00e4`. */
export function toAscii(text: string): string {
  return text.replace(/[^\t-~]/gu, (c) => LOOKALIKES[c] ?? codeOf(c));
}
