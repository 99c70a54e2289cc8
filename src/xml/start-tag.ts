import { qualifiedNameEnd, referenceEnd } from './characters.js';
import { codeName, fail } from './source.js';

/** An attribute of a start tag as it stands: offsets into the document's text. */
export interface RawAttribute {
  readonly name: string;
  readonly start: number;
  /** Inside the quotes. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A start tag or an empty-element tag. */
export interface StartTag {
  readonly name: string;
  readonly attributes: readonly RawAttribute[];
  readonly selfClosing: boolean;
  /** After its `>`. */
  readonly end: number;
}

const NO_ATTRIBUTES: readonly RawAttribute[] = [];

const QUOTE = 0x22;
const APOSTROPHE = 0x27;

/**
 * Reads the start tag at `start`.
 * @param limit the next `<` after `start`, or the text's length: no tag reaches beyond it
 * @throws InputError what XML 1.0 does not allow there
 */
export function readStartTag(text: string, start: number, limit: number): StartTag {
  const nameEnd = qualifiedNameEnd(text, start + 1);
  const name = text.slice(start + 1, nameEnd);
  if (name === '') fail(text, start, `expected a name after <, found ${describe(text, start + 1)}`);
  let attributes: RawAttribute[] | undefined;
  let names: Set<string> | undefined;
  let at = nameEnd;
  for (;;) {
    const next = skipSpace(text, at);
    const code = text.charCodeAt(next);
    if (code === 0x3e /* > */) {
      return { name, attributes: attributes ?? NO_ATTRIBUTES, selfClosing: false, end: next + 1 };
    }
    if (code === 0x2f /* / */ && text.charCodeAt(next + 1) === 0x3e) {
      return { name, attributes: attributes ?? NO_ATTRIBUTES, selfClosing: true, end: next + 2 };
    }
    if (next >= limit) unclosedTag(text, start, name, limit);
    if (next === at) badName(text, at === nameEnd ? start + 1 : at, at, name);
    const attribute = readAttribute(text, next, limit, name);
    attributes ??= [];
    if (attributes.length < 8) {
      for (const other of attributes) if (other.name === attribute.name) duplicate(text, attribute, name);
    } else {
      names ??= new Set(attributes.map((other) => other.name));
      if (names.has(attribute.name)) duplicate(text, attribute, name);
      names.add(attribute.name);
    }
    attributes.push(attribute);
    at = attribute.valueEnd + 1;
  }
}

/** The first offset from `at` on that is no white space of XML. */
export function skipSpace(text: string, at: number): number {
  for (let next = at; ; next++) {
    const code = text.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return next;
  }
}

/** What stands at an offset, for a message: a word or a character of it, or the document's end. */
export function describe(text: string, at: number): string {
  if (at >= text.length) return 'the end of the document';
  const [word] = /^[^\s\p{C}<>&]{1,20}|^./su.exec(text.slice(at, at + 40)) ?? [''];
  if (!/^[\s\p{C}]/u.test(word)) return word;
  const code = text.codePointAt(at) ?? 0;
  return code <= 0x20 ? 'white space' : `the character ${codeName(code)}`;
}

/** Refuses a reference that is not one of XML's own five entities or a character's number. */
export function checkReferences(text: string, from: number, to: number): void {
  for (let at = text.indexOf('&', from); at !== -1 && at < to; at = text.indexOf('&', at + 1)) {
    if (referenceEnd(text, at) > at) continue;
    const [reference] = /^&[\w#.:-]{0,30};?/.exec(text.slice(at, at + 32)) ?? ['&'];
    if (!reference.endsWith(';')) fail(text, at, 'an & that begins no reference (write &amp;)');
    if (reference.startsWith('&#')) fail(text, at, `${reference} is no character that XML allows`);
    fail(text, at, `the entity ${reference} is not defined`);
  }
}

function readAttribute(text: string, start: number, limit: number, tag: string): RawAttribute {
  const nameEnd = qualifiedNameEnd(text, start);
  const name = text.slice(start, nameEnd);
  if (name === '') fail(text, start, `expected an attribute or > in the tag <${tag}>, found ${describe(text, start)}`);
  const equals = skipSpace(text, nameEnd);
  if (text.charCodeAt(equals) !== 0x3d /* = */) {
    if (equals >= limit) unclosedTag(text, start, tag, limit);
    fail(text, equals, `expected ='…' after the attribute ${name}, found ${describe(text, equals)}`);
  }
  const quoteAt = skipSpace(text, equals + 1);
  const quote = text.charCodeAt(quoteAt);
  if (quote !== QUOTE && quote !== APOSTROPHE) {
    if (quoteAt >= limit) unclosedTag(text, start, tag, limit);
    fail(text, quoteAt, `expected a quote after ${name}=, found ${describe(text, quoteAt)}`);
  }
  const valueStart = quoteAt + 1;
  const valueEnd = text.indexOf(quote === QUOTE ? '"' : "'", valueStart);
  if (valueEnd === -1) fail(text, quoteAt, `the value of ${name} has no closing quote`);
  if (valueEnd > limit) fail(text, limit, `< in the value of ${name} (write &lt;), or its closing quote is missing`);
  return { name, start, valueStart, valueEnd };
}

function badName(text: string, nameStart: number, at: number, tag: string): never {
  if (nameStart < at)
    fail(text, at, `a name cannot go on with ${describe(text, at)} after ${text.slice(nameStart, at)}`);
  fail(text, at, `expected white space between the attributes of <${tag}>, found ${describe(text, at)}`);
}

function duplicate(text: string, attribute: RawAttribute, tag: string): never {
  fail(text, attribute.start, `<${tag}> has the attribute ${attribute.name} twice`);
}

function unclosedTag(text: string, at: number, tag: string, limit: number): never {
  if (limit < text.length) fail(text, limit, `< inside the tag <${tag}>, whose > is missing`);
  fail(text, at, `the document ends inside the tag <${tag}`);
}
