import { findIllegalCharacter, nameEndAt } from './characters.js';
import type { XmlElement } from './document.js';

export type Quote = "'" | '"';

/** An element to write. Names are written as they are; values and text are given unescaped and are escaped when printed. */
export interface NewElement {
  readonly name: string;
  readonly attributes?: readonly (readonly [name: string, value: string])[];
  readonly children?: readonly NewElement[];
  readonly text?: string;
  /** The quote for its attributes and those of its descendants; replaces the quote that the document uses. */
  readonly quote?: Quote;
}

/** The layout of printed elements: line ends and indentation. */
export interface Lines {
  /** The line end, \n or \r\n. */
  readonly lineEnd: string;
  /** The white space before an element of the outermost level. */
  readonly indent: string;
  /** The white space that each level adds. */
  readonly unit: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Copies the attributes, elements and text of an element, so that it can be written again. */
export function asNew({ name, attributes, children, text }: XmlElement): NewElement {
  return {
    name,
    attributes: attributes.map((a) => [a.name, a.value]),
    children: children.map(asNew),
    text: children.length > 0 ? '' : text.trim(),
  };
}

/**
 * Returns an element as text, from its `<` to its last `>`; on one line if `lines` is undefined.
 * @throws Error for an invalid name, a duplicate attribute, or a character that XML cannot represent
 */
export function printElement(element: NewElement, quote: Quote, lines: Lines | undefined): string {
  const { name, attributes = [], children = [], text = '' } = element;
  const quoted = element.quote ?? quote;
  checkName(name);
  let tag = `<${name}`;
  for (const [attribute, value] of attributes) tag += ` ${printAttribute(attribute, value, quoted)}`;
  const twice = attributes.find(([attribute], i) => attributes.findIndex(([other]) => other === attribute) < i);
  if (twice) throw new Error(`the new element ${name} has the attribute ${twice[0]} twice`);
  if (children.length === 0 && text === '') return `${tag}/>`;
  // White space beside text would become part of the text.
  const inner = lines === undefined || text !== '' ? undefined : { ...lines, indent: lines.indent + lines.unit };
  const lead = inner === undefined ? '' : inner.lineEnd + inner.indent;
  const content = children.map((child) => lead + printElement(child, quoted, inner)).join('');
  const end = inner === undefined || lines === undefined ? '' : lines.lineEnd + lines.indent;
  return `${tag}>${escapeCharacters(text, /[&<>\r]/g)}${content}${end}</${name}>`;
}

/** Returns `name='value'`. Throws like `printElement`. */
export function printAttribute(name: string, value: string, quote: Quote): string {
  checkName(name);
  return `${name}=${quote}${escapeAttributeValue(value, quote)}${quote}`;
}

/** Escapes a value for use between these quotes. Throws like `printElement`. */
export function escapeAttributeValue(value: string, quote: Quote): string {
  return escapeCharacters(value, quote === '"' ? /[&<>"\t\n\r]/g : /[&<>'\t\n\r]/g);
}

/** Matches text without characters that must be checked or escaped. */
const PLAIN = /^[\w .:,/-]*$/;

function escapeCharacters(value: string, characters: RegExp): string {
  if (PLAIN.test(value)) return value;
  if (findIllegalCharacter(value) !== -1) {
    throw new Error(`${JSON.stringify(value)} has a character that XML cannot represent`);
  }
  return value.replace(characters, (character) => ESCAPES[character] ?? `&#${character.charCodeAt(0)};`);
}

function checkName(name: string): void {
  if (name === '' || nameEndAt(name, 0) < name.length) throw new Error(`${JSON.stringify(name)} is not a name of XML`);
}
