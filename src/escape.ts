/**
 * Control characters but newline and tab, characters that change the direction of text (Unicode's Bidi_Control), line and
 * paragraph separators, and what no XML can have.
 */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Bidi_C}\p{Cs}\u2028\u2029\ufffe\uffff]/gu;

/** A text in which nothing acts on a terminal, a log or a page: each such character becomes `\u001b`. Lines stay lines. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, codeOf);
}

/** The same on one line: for messages and for names. */
export function printable(text: string): string {
  return escapeControls(text).replace(/[\n\t]/g, codeOf);
}

/** A text in HTML, SVG or a label of DOT: in an element, or between double quotes. */
export function escapeMarkup(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** XML for a terminal: such characters as references, which mean the same; line ends stay. */
export function escapeControlsInXml(xml: string): string {
  return xml.replace(UNSAFE, (c, at: number) => (c === '\r' && xml[at + 1] === '\n' ? c : `&#x${hexOf(c)};`));
}

/** JSON with such characters as JSON's own escapes, which mean the same. */
export function escapeControlsInJson(json: string): string {
  return json.replace(UNSAFE, codeOf);
}

/** `\u001b`, or `\u{1f600}` for a character that needs more digits. */
export function codeOf(character: string): string {
  const hex = hexOf(character);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}

function hexOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}
