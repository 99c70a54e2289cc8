/** Characters and names of XML 1.0 (fifth edition), as libxml2 reads them. */

/** Matches what is not a Char of XML 1.0 (production 2). With the flag u, a surrogate pair counts as one character. */
const ILLEGAL_CHARACTER = /[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

const START =
  'A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F' +
  '\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const NCNAME = `[${START}][${START}\\-.0-9\\xB7\\u0300-\\u036F\\u203F\\u2040]*`;

/** Allows at most one colon: versions of libxml2 differ in how they treat more colons. */
const NAME = new RegExp(`${NCNAME}(?::${NCNAME})?`, 'uy');
/** Matches nearly every name. The look-ahead rejects the others, which NAME then matches more slowly. */
const PLAIN_NAME = /[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?(?=[ \t\r\n/>=?])/y;

const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#([0-9]+|x[0-9A-Fa-f]+));/y;
const REFERENCES = new RegExp(REFERENCE.source, 'g');
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Returns the offset of the first character that XML does not allow; -1 if all are allowed. */
export function findIllegalCharacter(text: string): number {
  return text.search(ILLEGAL_CHARACTER);
}

/** Returns the end of the name that begins at an offset; the offset itself if no name begins there. */
export function nameEndAt(text: string, offset: number): number {
  PLAIN_NAME.lastIndex = offset;
  if (PLAIN_NAME.test(text)) return PLAIN_NAME.lastIndex;
  NAME.lastIndex = offset;
  return NAME.test(text) ? NAME.lastIndex : offset;
}

/** Returns the end of the entity or character reference that begins at an offset; the offset itself if none is valid. */
export function referenceEnd(text: string, offset: number): number {
  REFERENCE.lastIndex = offset;
  const [, entity, number] = REFERENCE.exec(text) ?? [];
  const code = codePoint(number);
  const isValid = entity !== undefined || (code <= 0x10ffff && !ILLEGAL_CHARACTER.test(String.fromCodePoint(code)));
  return isValid ? REFERENCE.lastIndex : offset;
}

/** Decodes character data: line ends become \n, and references become the characters that they stand for. */
export function decodeText(raw: string): string {
  return decodeReferences(normalizeLineEnds(raw));
}

/** Decodes the value of an attribute: like `decodeText`, but tabs and line ends become spaces. */
export function decodeAttributeValue(raw: string): string {
  return decodeReferences(/[\t\r\n]/.test(raw) ? raw.replace(/\r\n|[\t\r\n]/g, ' ') : raw);
}

/** Converts \r\n and \r to \n (XML 1.0, section 2.11). */
export function normalizeLineEnds(raw: string): string {
  return raw.replace(/\r\n?/g, '\n');
}

function decodeReferences(raw: string): string {
  if (!raw.includes('&')) return raw;
  return raw.replace(REFERENCES, (_, entity: string | undefined, number?: string) =>
    entity === undefined ? String.fromCodePoint(codePoint(number)) : (ENTITIES[entity] ?? ''),
  );
}

/** Returns the code point of a character reference, whose number is decimal, or hexadecimal after an x. */
function codePoint(number = ''): number {
  return Number(number.replace('x', '0x'));
}
