import { findIllegalCharacter, isName } from './characters.js';
import type { NewElement } from './editor.js';

export type Quote = "'" | '"';

/** How elements are laid out: where lines break and how deep they begin. */
export interface Lines {
  /** The line end, \n or \r\n. */
  readonly lineEnd: string;
  /** White space before an element of the outermost level. */
  readonly indent: string;
  /** What each level adds to it. */
  readonly unit: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * An element as text, from its `<` to its last `>`; on one line without `lines`.
 * @throws Error an invalid name, an attribute given twice, or a character that XML cannot represent
 */
export function printElement(element: NewElement, quote: Quote, lines: Lines | undefined): string {
  const { name, attributes = [], children = [], text = '' } = element;
  const quoted = element.quote ?? quote;
  checkName(name);
  let tag = `<${name}`;
  const seen = new Set<string>();
  for (const [attribute, value] of attributes) {
    if (seen.has(attribute)) throw new Error(`the new element ${name} has the attribute ${attribute} twice`);
    seen.add(attribute);
    tag += ` ${printAttribute(attribute, value, quoted)}`;
  }
  if (children.length === 0 && text === '') return `${tag}/>`;
  // White space beside text would become part of the text.
  const inner = lines === undefined || text !== '' ? undefined : { ...lines, indent: lines.indent + lines.unit };
  const lead = inner === undefined ? '' : inner.lineEnd + inner.indent;
  const content = children.map((child) => lead + printElement(child, quoted, inner)).join('');
  const end = inner === undefined || lines === undefined ? '' : lines.lineEnd + lines.indent;
  return `${tag}>${escapeCharacters(text, /[&<>\r]/g)}${content}${end}</${name}>`;
}

/**
 * `name='value'`.
 * @throws Error as `printElement`
 */
export function printAttribute(name: string, value: string, quote: Quote): string {
  checkName(name);
  return `${name}=${quote}${escapeAttributeValue(value, quote)}${quote}`;
}

/**
 * A value as it stands between such quotes.
 * @throws Error a character that XML cannot represent
 */
export function escapeAttributeValue(value: string, quote: Quote): string {
  return escapeCharacters(value, quote === '"' ? /[&<>"\t\n\r]/g : /[&<>'\t\n\r]/g);
}

function escapeCharacters(value: string, characters: RegExp): string {
  if (findIllegalCharacter(value) !== -1) {
    throw new Error(`${JSON.stringify(value)} has a character that XML cannot represent`);
  }
  return value.replace(characters, (character) => ESCAPES[character] ?? `&#${character.charCodeAt(0)};`);
}

function checkName(name: string): void {
  if (!isName(name)) throw new Error(`${JSON.stringify(name)} is not a name of XML`);
}
