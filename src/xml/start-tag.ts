import { xmlSyntax } from '../diagnostics/xml.js';
import { decodeAttributeValue, nameEndAt, referenceEnd } from './characters.js';
import { brief, fail } from './source.js';

/** An attribute. Offsets are into the document's text. */
export interface XmlAttribute {
  /** The qualified name as written. */
  readonly name: string;
  /** Decoded and normalised as XML requires: references are resolved, and literal line ends and tabs are spaces. */
  readonly value: string;
  readonly start: number;
  /** The offset after the closing quote. */
  readonly end: number;
  /** The offset after the opening quote. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A start tag or an empty-element tag. */
export interface StartTag {
  /** The offset of its `<`. */
  readonly start: number;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly selfClosing: boolean;
  /** The offset after its `>`. */
  readonly end: number;
}

/** libxml2's limit without XML_PARSE_HUGE, which libvirt does not set. */
const MAX_NAME_BYTES = 50_000;

/**
 * Reads the start tag at `start`.
 * @throws InputError `xml-syntax` if libxml2 does not accept the tag
 */
export function readStartTag(text: string, start: number): StartTag {
  const name = readName(text, start + 1);
  if (name === '') failExpected('a name after <', text, start + 1, start);
  const attributes: XmlAttribute[] = [];
  let names: Set<string> | undefined;
  let at = start + 1 + name.length;
  for (;;) {
    const next = skipSpace(text, at);
    const code = text.charCodeAt(next);
    const selfClosing = code === 0x2f /* / */ && text.charCodeAt(next + 1) === 0x3e;
    if (selfClosing || code === 0x3e /* > */) {
      return { start, name, attributes, selfClosing, end: next + (selfClosing ? 2 : 1) };
    }
    if (next === at && at < text.length) {
      failExpected(attributes[0] ? 'white space after the value' : `> or white space after <${brief(name)}`, text, at);
    }
    const attribute = readAttribute(text, next, name);
    if (attributes.length === 8) names = new Set(attributes.map((other) => other.name));
    if (names === undefined ? attributes.some((a) => a.name === attribute.name) : names.has(attribute.name)) {
      fail(text, next, xmlSyntax.attributeTwice({ element: brief(name), attribute: brief(attribute.name) }));
    }
    names?.add(attribute.name);
    attributes.push(attribute);
    at = attribute.end;
  }
}

/**
 * Returns the name that begins at an offset; '' if no name begins there.
 * @throws InputError `xml-syntax` if it is longer than libxml2 accepts
 */
export function readName(text: string, start: number): string {
  const end = nameEndAt(text, start);
  checkLength(text, start, end, MAX_NAME_BYTES, 'a name');
  return text.slice(start, end);
}

/** Throws an InputError if a piece of the text is longer than libxml2 accepts. */
export function checkLength(text: string, start: number, end: number, maximum: number, what: string): void {
  // A UTF-16 code unit has at most three bytes of UTF-8.
  if ((end - start) * 3 > maximum && Buffer.byteLength(text.slice(start, end)) > maximum) {
    fail(text, start, xmlSyntax.tooLong({ what, bytes: maximum }));
  }
}

/** Returns the first offset, from `at` on, that is not XML white space. */
export function skipSpace(text: string, at: number): number {
  for (let next = at; ; next++) {
    const code = text.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return next;
  }
}

/** Describes what is at an offset, for a message: a word, a character or the end of the document. */
export function describe(text: string, at: number): string {
  if (at >= text.length) return 'the end of the document';
  const [word] = /^[^\s\p{C}<>&]{1,20}|^./su.exec(text.slice(at, at + 40)) ?? [''];
  if (!/^[\s\p{C}]/u.test(word)) return word;
  if (/^[ \t\r\n]/.test(word)) return 'white space';
  return `the character U+${(text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Throws an InputError that names what XML requires at an offset, and what the text has there. */
export function failExpected(what: string, text: string, at: number, offset = at): never {
  fail(text, offset, xmlSyntax.expected({ expected: what, found: describe(text, at) }));
}

/** Throws an InputError for a reference that is neither one of XML's five entities nor a valid character reference. */
export function checkReferences(text: string, from: number, to: number): void {
  for (let at = text.indexOf('&', from); at !== -1 && at < to; at = text.indexOf('&', at + 1)) {
    if (referenceEnd(text, at) > at) continue;
    const [reference] = /^&[\w#.:-]{0,30};?/.exec(text.slice(at, at + 32)) ?? ['&'];
    if (!reference.endsWith(';')) fail(text, at, xmlSyntax.ampersand());
    if (reference.startsWith('&#')) fail(text, at, xmlSyntax.notCharacter({ reference }));
    fail(text, at, xmlSyntax.entity({ reference }));
  }
}

function readAttribute(text: string, start: number, tag: string): XmlAttribute {
  const name = readName(text, start);
  if (name === '') failExpected(`an attribute or > in the tag <${brief(tag)}>`, text, start);
  const equals = skipSpace(text, start + name.length);
  if (text[equals] !== '=') failExpected(`='…' after the attribute ${brief(name)}`, text, equals);
  const opening = skipSpace(text, equals + 1);
  const quote = text.charAt(opening);
  if (quote !== '"' && quote !== "'") failExpected(`a quote after ${brief(name)}=`, text, opening);
  const valueStart = opening + 1;
  const valueEnd = text.indexOf(quote, valueStart);
  if (valueEnd === -1) fail(text, opening, xmlSyntax.unclosedValue({ attribute: brief(name) }));
  const raw = text.slice(valueStart, valueEnd);
  const markup = raw.indexOf('<');
  if (markup !== -1) fail(text, valueStart + markup, xmlSyntax.markupInValue({ attribute: brief(name) }));
  if (raw.includes('&')) checkReferences(text, valueStart, valueEnd);
  return { name, value: decodeAttributeValue(raw), start, end: valueEnd + 1, valueStart, valueEnd };
}
