import { type DiagnosticCode, diagnostic, InputError, type Place } from '../diagnostics.js';

/** More is refused: a domain has 3 to 20 KB. In bytes. */
export const MAX_BYTES = 16 * 1024 * 1024;

const BYTE_ORDER_MARK = 0xfeff;

/** Throws the finding that is at an offset of the text, as an InputError. */
export function fail(text: string, offset: number, message: string, code: DiagnosticCode = 'xml-syntax'): never {
  throw new InputError(diagnostic(code, message, { place: placeOf(text, offset) }));
}

/** A value of the document in a message: on one line, and not all of a long one. */
export function brief(value: string): string {
  const line = value.replace(/[\s\p{C}]+/gu, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** U+0041. */
export function codeName(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The line and column of an offset. Lines end with \n; a byte order mark is no column. */
export function placeOf(text: string, offset: number): Place {
  const lineStart = offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < lineStart; end = text.indexOf('\n', end + 1)) line++;
  return { line, column: Math.max(1, offset - Math.max(lineStart, contentStart(text)) + 1) };
}

/** Where the document begins: after the byte order mark, if there is one. */
export function contentStart(text: string): number {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
}

/**
 * The text of a document: UTF-8, its byte order mark kept.
 * @throws InputError `xml-encoding`: another encoding, or no encoding at all; `xml-too-large`: more than 16 MiB
 */
export function readSource(input: string | Uint8Array): string {
  if (typeof input === 'string') {
    // A UTF-16 code unit is three bytes of UTF-8 at most.
    if (input.length * 3 > MAX_BYTES && Buffer.byteLength(input) > MAX_BYTES) tooLarge();
    return input;
  }
  if (input.length > MAX_BYTES) tooLarge();
  const other = otherEncoding(input);
  if (other !== undefined) fail('', 0, `the document is in ${other}, not in UTF-8`, 'xml-encoding');
  try {
    return decode(input);
  } catch {
    const valid = decode(input.subarray(0, validLength(input)));
    fail(valid, valid.length, 'the bytes here are not UTF-8', 'xml-encoding');
  }
}

function tooLarge(): never {
  throw new InputError(diagnostic('xml-too-large', 'the document has more than 16 MiB; a domain has a few KB'));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** The encodings that XML 1.0, appendix F, tells apart by their first bytes. */
function otherEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    return 'UTF-32';
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return 'UTF-16';
  if ((a === 0x3c && b === 0 && c === 0) || (a === 0 && b === 0 && d === 0x3c)) return 'UTF-32';
  if ((a === 0x3c && b === 0) || (a === 0 && b === 0x3c)) return 'UTF-16';
  if (a === 0x4c && b === 0x6f && c === 0xa7 && d === 0x94) return 'EBCDIC';
  return undefined;
}

/** How many bytes at the start are whole characters of UTF-8, given that not all are. */
function validLength(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >>> 1;
    if (isUtf8Start(bytes.subarray(0, middle))) valid = middle;
    else invalid = middle;
  }
  while (valid > 0 && !isUtf8(bytes.subarray(0, valid))) valid--;
  return valid;
}

/** UTF-8 that may end within a character. */
function isUtf8Start(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch {
    return false;
  }
}
