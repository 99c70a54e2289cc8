import { xmlDoctype, xmlEncoding, xmlSyntax, xmlTooLarge } from '../diagnostics/xml.js';
import { findIllegalCharacter } from './characters.js';
import { brief, contentStart, fail, Lines } from './source.js';
import {
  checkLength,
  checkReferences,
  describe,
  failExpected,
  readName,
  readStartTag,
  type StartTag,
  skipSpace,
} from './start-tag.js';

/** libxml2's limit without XML_PARSE_HUGE, which libvirt does not set. */
export const MAX_DEPTH = 256;
/** The maximum bytes of one tag, comment or text: libxml2's limit of 10 000 000, minus a margin for other text in its buffer. */
const MAX_PIECE_BYTES = 9_000_000;
/** A million elements take half a gigabyte of memory. A domain has a few hundred. */
const MAX_ELEMENTS = 1_000_000;

const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/y;

/** Matches tags with names that fast-xml-parser refuses. It ends a name at \s, which matches more than XML's white space. */
const REFUSED_NAMES = /<\/?(?:__proto__|constructor|prototype)(?=[\s/>])/g;

/** fast-xml-parser joins text one character at a time, which is slow. Longer runs of text are hidden from it. */
const LONG_TEXT = 1000;

/**
 * Checks that a text is an XML 1.0 document without a DOCTYPE and within libxml2's limits, so that libxml2 accepts it without
 * a fatal error. Errors that libxml2 reports but tolerates (for example an undeclared prefix) pass, because libvirt accepts
 * them.
 * @param known elements below the root, in document order, that an accepted document has, so that they need no check
 * @returns the text, in which everything that fast-xml-parser mishandles is replaced by something of the same length, and the
 * start tags in document order; a known element stands for itself and its content
 * @throws InputError `xml-syntax`, `xml-doctype`, `xml-encoding`, `xml-too-large`, with the location
 */
export function guard<Known extends { readonly start: number; readonly end: number } = never>(
  text: string,
  known: readonly Known[] = [],
): { readonly readable: string; readonly tags: readonly (StartTag | Known)[] } {
  /** The elements that are still open. */
  const open: StartTag[] = [];
  const tags: (StartTag | Known)[] = [];
  let root: StartTag | undefined;
  let rootEnd = 0;
  let nextKnown = 0;
  /** The readable text up to `readableEnd`. */
  let readable = '';
  let readableEnd = 0;

  const illegal = findIllegalCharacter(text);
  if (illegal !== -1) fail(text, illegal, xmlSyntax.illegalCharacter({ character: describe(text, illegal) }));
  let at = contentStart(text);
  for (let markup = text.indexOf('<', at); markup !== -1; markup = text.indexOf('<', at)) {
    if (markup > at) checkText(at, markup);
    const code = text.charCodeAt(markup + 1);
    const next = known[nextKnown];
    if (next?.start === markup) {
      nextKnown++;
      tags.push(next);
      hide(markup, next.end);
      at = next.end;
    } else if (code === 0x2f /* / */) at = readEndTag(markup);
    else if (code === 0x21 /* ! */) at = readBang(markup);
    else if (code === 0x3f /* ? */) at = readInstruction(markup);
    else at = readElement(markup);
    if (open.length === 0 && rootEnd === 0 && root !== undefined) rootEnd = at;
  }
  if (at < text.length) checkText(at, text.length);
  const unclosed = open.at(-1);
  if (unclosed !== undefined) fail(text, text.length, xmlSyntax.unclosedElement({ expected: closing(unclosed) }));
  if (root === undefined) fail(text, text.length, xmlSyntax.noElement());
  // libxml2 does not empty its buffer between two processing instructions outside the root.
  checkLength(text, 0, root.start, MAX_PIECE_BYTES, 'something before the root element');
  checkLength(text, rootEnd, text.length, MAX_PIECE_BYTES, 'something after the root element');
  readable += text.slice(readableEnd);
  return { readable: readable.replace(REFUSED_NAMES, (tag) => tag.replace(/\w/g, 'x')), tags };

  function readDeclaration(start: number): number {
    DECLARATION.lastIndex = start;
    const match = DECLARATION.exec(text);
    if (match === null) fail(text, start, xmlSyntax.declaration());
    const encoding = match[1] ?? match[2] ?? 'UTF-8';
    if (!/^utf-?8$/i.test(encoding)) fail(text, start, xmlEncoding.declared({ encoding: brief(encoding) }));
    hide(start, DECLARATION.lastIndex);
    return DECLARATION.lastIndex;
  }

  function checkText(start: number, end: number): void {
    checkLength(text, start, end, MAX_PIECE_BYTES, 'a run of text');
    if (end - start > LONG_TEXT) hide(start, end);
    if (open.length === 0) {
      const at = skipSpace(text, start);
      if (at >= end) return;
      if (root === undefined) failExpected('an element', text, at);
      fail(text, at, xmlSyntax.textAfterRoot({ root: brief(root.name), found: describe(text, at) }));
    }
    const run = text.slice(start, end);
    if (run.includes('&')) checkReferences(text, start, end);
    const sectionEnd = run.indexOf(']]>');
    if (sectionEnd !== -1) fail(text, start + sectionEnd, xmlSyntax.sectionEnd());
  }

  function readElement(start: number): number {
    const tag = readStartTag(text, start);
    if (open.length === 0 && root !== undefined) {
      fail(text, start, xmlSyntax.secondRoot({ element: brief(tag.name), root: brief(root.name) }));
    }
    root ??= tag;
    if (open.length >= MAX_DEPTH) fail(text, start, xmlSyntax.tooDeep({ depth: MAX_DEPTH }));
    if (tags.length >= MAX_ELEMENTS) fail(text, start, xmlTooLarge.elements({ limit: MAX_ELEMENTS }));
    checkLength(text, start, tag.end, MAX_PIECE_BYTES, 'a tag');
    tags.push(tag);
    if (!tag.selfClosing) open.push(tag);
    return tag.end;
  }

  function readEndTag(start: number): number {
    const name = readName(text, start + 2);
    const element = open.pop();
    if (element === undefined) fail(text, start, xmlSyntax.strayEndTag({ element: brief(name) }));
    if (name !== element.name) {
      const found = name === '' ? describe(text, start + 2) : `${brief(name)}>`;
      fail(text, start, xmlSyntax.expected({ expected: closing(element), found: `</${found}` }));
    }
    const close = skipSpace(text, start + 2 + name.length);
    if (text[close] !== '>') failExpected(`> after </${brief(name)}`, text, close);
    checkLength(text, start, close, MAX_PIECE_BYTES, 'a tag');
    return close + 1;
  }

  /** Reads a comment or a CDATA section. */
  function readBang(start: number): number {
    if (text.startsWith('<!--', start)) {
      const dashes = text.indexOf('--', start + 4);
      if (dashes === -1) fail(text, start, xmlSyntax.unclosed({ what: 'the comment', end: '-->' }));
      if (text.charCodeAt(dashes + 2) !== 0x3e) fail(text, dashes, xmlSyntax.dashes());
      checkLength(text, start + 4, dashes, MAX_PIECE_BYTES, 'a comment');
      return dashes + 3;
    }
    if (/^<!doctype/i.test(text.slice(start, start + 9))) fail(text, start, xmlDoctype());
    if (text.startsWith('<![CDATA[', start)) {
      if (open.length === 0) fail(text, start, xmlSyntax.sectionOutside());
      const end = text.indexOf(']]>', start + 9);
      if (end === -1) fail(text, start, xmlSyntax.unclosed({ what: 'the CDATA section', end: ']]>' }));
      checkLength(text, start + 9, end, MAX_PIECE_BYTES, 'a CDATA section');
      return end + 3;
    }
    fail(text, start, xmlSyntax.expectedBang());
  }

  function readInstruction(start: number): number {
    const target = readName(text, start + 2);
    const targetEnd = start + 2 + target.length;
    if (target === 'xml' && start === contentStart(text)) return readDeclaration(start);
    if (target.toLowerCase() === 'xml') fail(text, start, xmlSyntax.lateDeclaration({ target }));
    if (target === '') failExpected('the name of a processing instruction after <?', text, targetEnd, start);
    const end = text.indexOf('?>', targetEnd);
    const what = `the processing instruction <?${brief(target)}`;
    if (end === -1) fail(text, start, xmlSyntax.unclosed({ what, end: '?>' }));
    if (end !== targetEnd && skipSpace(text, targetEnd) === targetEnd) {
      failExpected(`white space or ?> after <?${brief(target)}`, text, targetEnd);
    }
    checkLength(text, targetEnd, end, MAX_PIECE_BYTES, 'a processing instruction');
    // fast-xml-parser treats an unpaired quote in an instruction as the start of a value.
    hide(start, end + 2);
    return end + 2;
  }

  /** Hides a range from fast-xml-parser behind a comment of the same length, or behind spaces if it is too short for one. */
  function hide(start: number, end: number): void {
    const length = end - start;
    const hidden = length < 7 ? ' '.repeat(length) : `<!--${' '.repeat(length - 7)}-->`;
    readable += text.slice(readableEnd, start) + hidden;
    readableEnd = end;
  }

  function closing({ name, start }: StartTag): string {
    return `</${brief(name)}> (opened at line ${new Lines(text).location(start).line})`;
  }
}
