/**
 * Control characters except newline and tab, characters that change the direction of text (Unicode's Bidi_Control),
 * line and paragraph separators, and characters that XML does not allow.
 */
const UNSAFE = /[[\p{Cc}\p{Bidi_C}\p{Cs}\u2028\u2029\ufffe\uffff]--[\n\t]]/gv;

/** Escapes characters that could control a terminal, a log or a page, in the form `\u001b`. Line ends stay. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, codeOf);
}

/** Like `escapeControls`, but also escapes newlines and tabs: for messages and names. */
export function printable(text: string): string {
  return escapeControls(text).replace(/[\n\t]/g, codeOf);
}

/** Escapes text for HTML, SVG or a label in DOT: in an element, or between double quotes. */
export function escapeMarkup(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Like `escapeControls`, but for XML: writes character references, which mean the same in XML. */
export function escapeControlsInXml(xml: string): string {
  return xml.replace(UNSAFE, (c, at: number) => (c === '\r' && xml[at + 1] === '\n' ? c : `&#x${hexOf(c)};`));
}

/** Like `escapeControls`, but for JSON, where these escapes mean the same characters. */
export function escapeControlsInJson(json: string): string {
  return json.replace(UNSAFE, codeOf);
}

/** Returns `\u001b`, or `\u{1f600}` for a character that needs more digits. */
export function codeOf(character: string): string {
  const hex = hexOf(character);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}

function hexOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}
