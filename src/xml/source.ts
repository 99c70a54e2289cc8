import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { InputError } from '../diagnostics/errors.js';
import { xmlEncoding, xmlTooLarge } from '../diagnostics/xml.js';

/** The maximum size of a document, in bytes. A domain has 3 to 20 KB. */
export const MAX_BYTES = 16 * 1024 * 1024;

const BYTE_ORDER_MARK = 0xfeff;

/** Throws a diagnostic as an InputError, with the location of an offset of the text. */
export function fail(text: string, offset: number, found: Diagnostic): never {
  throw new InputError({ ...found, location: new Lines(text).location(offset) });
}

/** Prepares a value of the document for a message: on one line and shortened to 60 characters. */
export function brief(value: string): string {
  const line = value.slice(0, 1000).replace(/[\s\p{C}]+/gu, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** The lines of a text. They end with \n. A byte order mark does not count as a column. */
export class Lines {
  readonly #starts: number[];

  constructor(text: string) {
    this.#starts = [contentStart(text)];
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  /** Returns the line and column of an offset; both count from 1. */
  location(offset: number): Location {
    let [line, next] = [1, this.#starts.length + 1];
    while (next - line > 1) {
      const middle = (line + next) >>> 1;
      if ((this.#starts[middle - 1] ?? 0) <= offset) line = middle;
      else next = middle;
    }
    return { line, column: Math.max(1, offset - (this.#starts[line - 1] ?? 0) + 1) };
  }
}

/** Returns the offset at which the document begins: after the byte order mark, if there is one. */
export function contentStart(text: string): number {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
}

/**
 * Decodes a document from UTF-8 and keeps its byte order mark.
 * @throws InputError `xml-encoding` for another encoding; `xml-too-large` for more than 16 MiB
 */
export function readSource(input: string | Uint8Array): string {
  // A UTF-16 code unit has at most three bytes of UTF-8.
  if (input.length * 3 > MAX_BYTES && Buffer.byteLength(input) > MAX_BYTES) throw new InputError(xmlTooLarge.bytes());
  if (typeof input === 'string') return input;
  if (isWide(input)) fail('', 0, xmlEncoding.wide());
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
  const invalid = findReplacement(input, text);
  if (invalid !== -1) fail(text, invalid, xmlEncoding.invalid());
  return text;
}

/** Whether a text begins like UTF-16 or UTF-32 (XML 1.0, appendix F). */
function isWide([a, b]: Uint8Array): boolean {
  return a === 0 || (a === 0x3c && b === 0) || (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
}

/** Returns the offset of the first U+FFFD that replaces bytes that are not UTF-8; -1 if there is none. */
function findReplacement(bytes: Uint8Array, text: string): number {
  let byte = 0;
  for (let at = text.indexOf('\uFFFD'), from = 0; at !== -1; from = at, at = text.indexOf('\uFFFD', at + 1)) {
    byte += Buffer.byteLength(text.slice(from, at));
    if (bytes[byte] !== 0xef || bytes[byte + 1] !== 0xbf || bytes[byte + 2] !== 0xbd) return at;
  }
  return -1;
}
