import { codeOf } from '../../escape.js';

/** Drawing and punctuation that ASCII has something like. */
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
 * Whether text for people may hold more than ASCII: the character set of LC_ALL, LC_CTYPE or LANG, in this order, is UTF-8.
 * If none of them is set, UTF-8 is used, as in Python (PEP 538); `LC_ALL=C` selects ASCII.
 */
export function hasUtf8(environment: NodeJS.ProcessEnv = process.env): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG;
  return !locale || /\.utf-?8(@|$)/i.test(locale);
}

/** A text in ASCII: with lookalikes where there are some, and codes such as `\u00e4` for the rest. */
export function toAscii(text: string): string {
  return text.replace(/[^\t-~]/gu, (c) => LOOKALIKES[c] ?? codeOf(c));
}
