import { decodeAttributeValue, findIllegalCharacter, isQualifiedName, qualifiedNameEnd } from './characters.js';
import { checkAttributeNamespaces, NO_SCOPE, namespaceOf, openScope, type Scope } from './namespaces.js';
import { brief, codeName, contentStart, fail, placeOf } from './source.js';
import { checkReferences, describe, type RawAttribute, readStartTag, skipSpace } from './start-tag.js';

/** An element as the check found it; offsets into the text. */
export interface Tag {
  readonly name: string;
  readonly namespace: string;
  readonly start: number;
  readonly openEnd: number;
  readonly selfClosing: boolean;
  /** The `<` of the end tag; of a self-closing element its end. */
  closeStart: number;
  end: number;
}

/** A stretch of the text. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A document that is well-formed. */
export interface WellFormed {
  /** Every element, in the order of their start tags. */
  readonly tags: readonly Tag[];
  /** Processing instructions. */
  readonly instructions: readonly Range[];
  /** How many attribute values stand in ' and in ". */
  readonly quotes: { readonly single: number; readonly double: number };
}

/** libxml2's limits without XML_PARSE_HUGE, which libvirt does not give: depth of elements, bytes of a name. */
export const MAX_DEPTH = 256;
const MAX_NAME_BYTES = 50_000;
/** Bytes of one tag, comment or run of text: libxml2's 10 000 000, less what its buffer may hold around it. */
const MAX_PIECE_BYTES = 9_000_000;

const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/y;

/**
 * Checks that a text is a well-formed, namespace-well-formed XML 1.0 document without a DOCTYPE, within libxml2's limits:
 * whatever passes, libxml2 takes.
 * @throws InputError `xml-syntax`, `xml-doctype`, `xml-encoding`, with the place
 */
export function checkWellFormed(text: string): WellFormed {
  return new Check(text).run();
}

/** An element that is open, and the namespaces in force in it. */
interface Open {
  readonly tag: Tag;
  readonly scope: Scope;
}

class Check {
  private readonly tags: Tag[] = [];
  private readonly instructions: Range[] = [];
  private readonly open: Open[] = [];
  private readonly ids = new Set<string>();
  private single = 0;
  private double = 0;
  /** The next & and the next ]]> not yet passed; Infinity where there is none. */
  private ampersand = -1;
  private sectionEnd = -1;

  constructor(private readonly text: string) {}

  run(): WellFormed {
    const { text } = this;
    const illegal = findIllegalCharacter(text);
    if (illegal !== -1) this.illegalCharacter(illegal);
    let at = this.readDeclaration(contentStart(text));
    let markup = text.indexOf('<', at);
    while (markup !== -1) {
      if (markup > at) this.checkText(at, markup);
      const code = text.charCodeAt(markup + 1);
      if (code === 0x2f /* / */) at = this.readEndTag(markup);
      else if (code === 0x21 /* ! */) at = this.readBang(markup);
      else if (code === 0x3f /* ? */) at = this.readInstruction(markup);
      else {
        const next = text.indexOf('<', markup + 1);
        at = this.readElement(markup, next === -1 ? text.length : next);
        markup = next;
        continue;
      }
      markup = text.indexOf('<', at);
    }
    if (at < text.length) this.checkText(at, text.length);
    const unclosed = this.open.at(-1);
    if (unclosed !== undefined) {
      fail(text, text.length, `the document ends before ${this.closing(unclosed.tag)}`);
    }
    const [root] = this.tags;
    if (root === undefined) fail(text, text.length, 'the document has no element');
    // libxml2 does not empty its buffer between two processing instructions out there.
    this.checkLength(0, root.start, MAX_PIECE_BYTES, 'something before the root element');
    this.checkLength(root.end, text.length, MAX_PIECE_BYTES, 'something after the root element');
    return { tags: this.tags, instructions: this.instructions, quotes: { single: this.single, double: this.double } };
  }

  private readDeclaration(start: number): number {
    const { text } = this;
    if (!/^<\?xml(?:[ \t\r\n?]|$)/.test(text.slice(start, start + 6))) return start;
    DECLARATION.lastIndex = start;
    const match = DECLARATION.exec(text);
    if (match === null)
      fail(text, start, "the XML declaration is malformed (expected <?xml version='1.0' encoding='UTF-8'?>)");
    const encoding = match[1] ?? match[2] ?? 'UTF-8';
    if (!/^utf-?8$/i.test(encoding)) {
      fail(text, start, `the XML declaration says that the encoding is ${encoding}, not UTF-8`, 'xml-encoding');
    }
    return DECLARATION.lastIndex;
  }

  private checkText(start: number, end: number): void {
    const { text } = this;
    this.checkLength(start, end, MAX_PIECE_BYTES, 'a run of text');
    if (this.open.length === 0) {
      const at = skipSpace(text, start);
      if (at < end) this.textOutside(at);
      return;
    }
    if (this.ampersand < start) this.ampersand = indexOrInfinity(text, '&', start);
    if (this.ampersand < end) checkReferences(text, start, end);
    if (this.sectionEnd < start) this.sectionEnd = indexOrInfinity(text, ']]>', start);
    if (this.sectionEnd < end) fail(text, this.sectionEnd, ']]> in text, outside a CDATA section (write ]]&gt;)');
  }

  private readElement(start: number, limit: number): number {
    const { text, open } = this;
    const { name, attributes, selfClosing, end } = readStartTag(text, start, limit);
    if (this.ampersand < start) this.ampersand = indexOrInfinity(text, '&', start);
    const outer = open.at(-1)?.scope;
    if (outer === undefined && this.tags.length > 0) {
      fail(text, start, `a second root element <${name}>, after the end of <${this.tags[0]?.name}>`);
    }
    let scope = outer ?? NO_SCOPE;
    let plain = true;
    this.checkLength(start, end, MAX_PIECE_BYTES, 'a tag');
    this.checkLength(start + 1, start + 1 + name.length, MAX_NAME_BYTES, 'a name');
    for (const attribute of attributes) {
      const { valueStart, valueEnd } = attribute;
      if (text.charCodeAt(valueEnd) === 0x22) this.double++;
      else this.single++;
      if (this.ampersand < end) checkReferences(text, valueStart, valueEnd);
      this.checkLength(attribute.start, attribute.start + attribute.name.length, MAX_NAME_BYTES, 'a name');
      plain &&= !attribute.name.includes(':') && attribute.name !== 'xmlns';
    }
    if (!plain) {
      scope = openScope(text, attributes, scope);
      checkAttributeNamespaces(text, attributes, scope);
      this.checkIds(attributes);
    }
    const namespace = namespaceOf(text, name, start + 1, scope);
    const tag = { name, namespace, start, openEnd: end, selfClosing, closeStart: end, end };
    this.tags.push(tag);
    if (open.length >= MAX_DEPTH)
      fail(text, start, `elements are nested deeper than ${MAX_DEPTH}, which libxml2 refuses`);
    if (!selfClosing) open.push({ tag, scope });
    return end;
  }

  /** An xml:id is a name, and the only one of its value. Its white space is not kept (xml:id, section 4). */
  private checkIds(attributes: readonly RawAttribute[]): void {
    const { text } = this;
    for (const { name, start, valueStart, valueEnd } of attributes) {
      if (name !== 'xml:id') continue;
      const id = decodeAttributeValue(text.slice(valueStart, valueEnd)).replace(/^ +| +$/g, '');
      if (id.includes(':') || !isQualifiedName(id)) fail(text, start, `xml:id='${brief(id)}' is no name`);
      if (this.ids.has(id)) fail(text, start, `xml:id='${brief(id)}' is there twice`);
      this.ids.add(id);
    }
  }

  private readEndTag(start: number): number {
    const { text } = this;
    const current = this.open.pop();
    const nameEnd = qualifiedNameEnd(text, start + 2);
    const name = text.slice(start + 2, nameEnd);
    if (current === undefined) fail(text, start, `the end tag </${name}> ends no element`);
    const { tag } = current;
    if (name !== tag.name) {
      if (nameEnd >= text.length) fail(text, start, `the document ends inside ${this.closing(tag)}`);
      fail(text, start, `expected ${this.closing(tag)}, found </${name || describe(text, nameEnd)}${name && '>'}`);
    }
    const close = skipSpace(text, nameEnd);
    if (text.charCodeAt(close) !== 0x3e) {
      if (close >= text.length) fail(text, start, `the document ends inside the end tag </${name}`);
      fail(text, close, `expected > after </${name}, found ${describe(text, close)}`);
    }
    this.checkLength(start, close, MAX_PIECE_BYTES, 'a tag');
    tag.closeStart = start;
    tag.end = close + 1;
    return close + 1;
  }

  /** A comment or a CDATA section. */
  private readBang(start: number): number {
    const { text } = this;
    if (text.startsWith('<!--', start)) {
      const dashes = text.indexOf('--', start + 4);
      if (dashes === -1) fail(text, start, 'the comment is not closed (-->)');
      if (text.charCodeAt(dashes + 2) !== 0x3e) fail(text, dashes, '-- inside a comment');
      this.checkLength(start + 4, dashes, MAX_PIECE_BYTES, 'a comment');
      return dashes + 3;
    }
    if (text.startsWith('<![CDATA[', start) && this.open.length > 0) {
      const end = text.indexOf(']]>', start + 9);
      if (end === -1) fail(text, start, 'the CDATA section is not closed (]]>)');
      this.checkLength(start + 9, end, MAX_PIECE_BYTES, 'a CDATA section');
      return end + 3;
    }
    if (/^<!doctype/i.test(text.slice(start, start + 9)))
      fail(text, start, 'the document has a DOCTYPE', 'xml-doctype');
    if (text.startsWith('<![CDATA[', start)) fail(text, start, 'a CDATA section outside the root element');
    const rest = text.slice(start, start + 9);
    if (rest.length < 9 && ('<!--'.startsWith(rest) || '<![CDATA['.startsWith(rest))) {
      fail(text, start, `the document ends inside ${rest}`);
    }
    fail(text, start, 'expected a comment or a CDATA section after <!');
  }

  private readInstruction(start: number): number {
    const { text } = this;
    const targetEnd = qualifiedNameEnd(text, start + 2);
    const target = text.slice(start + 2, targetEnd);
    if (target.toLowerCase() === 'xml') {
      fail(
        text,
        start,
        target === 'xml'
          ? 'an XML declaration that is not at the start of the document'
          : `<?${target}: the name is reserved`,
      );
    }
    if (target === '' || target.includes(':')) {
      fail(
        text,
        start,
        `expected the name of a processing instruction after <?, without a colon, found ${describe(text, start + 2)}`,
      );
    }
    const end = text.indexOf('?>', targetEnd);
    if (end === -1) fail(text, start, `the processing instruction <?${target} is not closed (?>)`);
    if (end !== targetEnd && skipSpace(text, targetEnd) === targetEnd) {
      fail(text, targetEnd, `expected white space or ?> after <?${target}, found ${describe(text, targetEnd)}`);
    }
    this.checkLength(start + 2, targetEnd, MAX_NAME_BYTES, 'a name');
    this.checkLength(targetEnd, end, MAX_PIECE_BYTES, 'a processing instruction');
    this.instructions.push({ start, end: end + 2 });
    return end + 2;
  }

  private checkLength(start: number, end: number, maximum: number, what: string): void {
    // A UTF-16 code unit is three bytes of UTF-8 at most.
    if ((end - start) * 3 <= maximum) return;
    if (Buffer.byteLength(this.text.slice(start, end)) > maximum) {
      fail(this.text, start, `${what} of more than ${maximum} bytes, which libxml2 refuses`);
    }
  }

  private textOutside(at: number): never {
    const root = this.tags[0];
    if (root === undefined) fail(this.text, at, `expected an element, found ${describe(this.text, at)}`);
    fail(this.text, at, `text after the end of <${root.name}>: ${describe(this.text, at)}`);
  }

  private illegalCharacter(at: number): never {
    fail(this.text, at, `the character ${codeName(this.text.charCodeAt(at))} is not allowed in XML`);
  }

  private closing(tag: Tag): string {
    return `</${tag.name}> (opened at line ${placeOf(this.text, tag.start).line})`;
  }
}

function indexOrInfinity(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from);
  return index === -1 ? Number.POSITIVE_INFINITY : index;
}
