import { XMLParser } from 'fast-xml-parser';
import type { Location } from '../diagnostics/diagnostic.js';
import { decodeText, normalizeLineEnds } from './characters.js';
import { guard, MAX_DEPTH } from './guard.js';
import { Lines, readSource } from './source.js';
import type { StartTag, XmlAttribute } from './start-tag.js';
import { applyEdits, type TextEdit } from './text-edits.js';

/** fast-xml-parser finds only the nesting and the ends of the elements. It does not decode entities, values or attributes. */
export const PARSER_OPTIONS = {
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: true,
  processEntities: false,
  parseTagValue: false,
  trimValues: false,
  jPath: false,
  maxNestedTags: MAX_DEPTH,
};

/** A node of fast-xml-parser: one key with its content. For an element, the key is its name. A text node has no metadata. */
type ParsedNode = { readonly [name: string]: readonly ParsedNode[] };

const METADATA = XMLParser.getMetaDataSymbol() as unknown as keyof ParsedNode;

const parser = new XMLParser(PARSER_OPTIONS);

const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

/** Matches the items between two child elements: a comment, a processing instruction, a CDATA section or text. */
const CONTENT = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|([^<]+)/g;

/** An element. Offsets are into the document's text, in UTF-16 code units. */
export class XmlElement {
  /** The qualified name as written. */
  readonly name: string;
  readonly localName: string;
  /** Empty if the name has no prefix. */
  readonly prefix: string;
  /** The namespace name; empty if the element is in no namespace. */
  readonly namespace: string;
  /** In document order, including namespace declarations. */
  readonly attributes: readonly XmlAttribute[];
  /** The offset of the `<` of the start tag. */
  readonly start: number;
  /** The offset after the `>` of the start tag. */
  readonly openEnd: number;
  /** The offset of the `<` of the end tag; for a self-closing element, its end. */
  readonly closeStart: number;
  readonly selfClosing: boolean;
  /** Only elements, in document order. Set once, while the tree is built. */
  children: readonly XmlElement[] = [];
  readonly #declared: ReadonlyMap<string, string> | null;
  readonly #source: string;
  #knownText: string | undefined;

  /** Called when a document is parsed. */
  constructor(
    source: string,
    tag: StartTag,
    /** The offset after the last `>`. */
    readonly end: number,
    /** Undefined for the root. */
    readonly parent: XmlElement | undefined,
    declared = declaredNamespaces(tag.attributes),
  ) {
    this.#source = source;
    const { name } = tag;
    this.name = name;
    this.attributes = tag.attributes;
    this.start = tag.start;
    this.openEnd = tag.end;
    this.selfClosing = tag.selfClosing;
    this.closeStart = tag.selfClosing ? end : source.lastIndexOf('<', end - 1);
    const closed = tag.selfClosing ? tag.end === end : source.startsWith(`/${name}`, this.closeStart + 1);
    if (!closed) throw new Error(`fast-xml-parser found no element at ${tag.start}–${end}`);
    this.#declared = declared;
    const colon = name.indexOf(':');
    const namespace = this.#namespaceOf(name.slice(0, Math.max(0, colon)));
    // libxml2 treats an undeclared prefix as a part of the name.
    const nameStart = namespace === undefined ? 0 : colon + 1;
    this.namespace = namespace ?? '';
    this.prefix = name.slice(0, Math.max(0, nameStart - 1));
    this.localName = name.slice(nameStart);
  }

  /** Its decoded character data, including CDATA sections but not the text of its descendants. */
  get text(): string {
    if (this.#knownText === undefined) {
      const starts = [...this.children.map((child) => child.start), this.closeStart];
      const pieces = starts.map((start, i) =>
        textOf(this.#source.slice(this.children[i - 1]?.end ?? this.openEnd, start)),
      );
      this.#knownText = pieces.join('');
    }
    return this.#knownText;
  }

  /** Returns the decoded value of the attribute with this qualified name. */
  attribute(name: string): string | undefined {
    return this.attributes.find((attribute) => attribute.name === name)?.value;
  }

  /** Returns the first child with this name in no namespace. */
  child(name: string): XmlElement | undefined {
    return this.children.find((child) => child.name === name && child.namespace === '');
  }

  /** Returns the children with this name in no namespace. */
  childrenNamed(name: string): readonly XmlElement[] {
    return this.children.filter((child) => child.name === name && child.namespace === '');
  }

  /** Returns a copy at another offset of another text. */
  copy(source: string, start: number, parent: XmlElement | undefined): XmlElement {
    const shift = start - this.start;
    const attributes = this.attributes.map((attribute) => moved(attribute, shift));
    const tag = { name: this.name, attributes, start, end: this.openEnd + shift, selfClosing: this.selfClosing };
    const copy = new XmlElement(source, tag, this.end + shift, parent, this.#declared);
    copy.children = this.children.map((child) => child.copy(source, child.start + shift, copy));
    return copy;
  }

  #namespaceOf(prefix: string): string | undefined {
    const declared = this.#declared?.get(prefix);
    if (declared !== undefined) return declared;
    if (this.parent !== undefined) return this.parent.#namespaceOf(prefix);
    return prefix === '' ? '' : prefix === 'xml' ? XML_NAMESPACE : undefined;
  }
}

function moved(a: XmlAttribute, by: number): XmlAttribute {
  return { ...a, start: a.start + by, end: a.end + by, valueStart: a.valueStart + by, valueEnd: a.valueEnd + by };
}

/**
 * Returns the namespaces that these attributes declare, by prefix; null if they declare none. The default namespace has
 * the prefix ''. Like libxml2, it ignores declarations that Namespaces in XML 1.0 forbids, because libvirt accepts documents
 * with them.
 */
function declaredNamespaces(attributes: readonly XmlAttribute[]): ReadonlyMap<string, string> | null {
  let declared: Map<string, string> | null = null;
  for (const { name, value } of attributes) {
    if (!name.startsWith('xmlns') || (name.length > 5 && name[5] !== ':')) continue;
    const prefix = name.slice(6);
    if (prefix === 'xml' || prefix === 'xmlns' || (prefix !== '' && value === '')) continue;
    if (value === XML_NAMESPACE || value === XMLNS_NAMESPACE) continue;
    declared ??= new Map();
    declared.set(prefix, value);
  }
  return declared;
}

/** Returns the character data of a piece of content without elements. */
function textOf(content: string): string {
  if (!content.includes('<')) return decodeText(content);
  let text = '';
  for (const [, section, characters] of content.matchAll(CONTENT)) {
    text += section === undefined ? decodeText(characters ?? '') : normalizeLineEnds(section);
  }
  return text;
}

/** A parsed document: its text, which never changes, and its elements with their offsets in that text. */
export class XmlDocument {
  #lines: Lines | undefined;

  /** Called when a document is parsed. */
  constructor(
    /** The whole text, including its byte order mark and its original line ends. */
    readonly text: string,
    readonly root: XmlElement,
  ) {}

  /** Returns the line and column of an offset. Lines end with \n. A byte order mark does not count as a column. */
  location(offset: number): Location {
    this.#lines ??= new Lines(this.text);
    return this.#lines.location(offset);
  }
}

/**
 * Parses a document from UTF-8 bytes or from text. Accepts only what libxml2 accepts.
 * @throws InputError `xml-syntax`, `xml-doctype`, `xml-encoding`, `xml-too-large`, with the location if it is known
 */
export function parseXml(input: string | Uint8Array): XmlDocument {
  return parse(readSource(input), []);
}

/**
 * Applies edits, which are in text order, and parses the result. Only what they touch is read again: other elements are
 * copied with their new offsets.
 * @throws InputError like `parseXml`
 */
export function parseEdited(before: XmlDocument, edits: readonly TextEdit[]): XmlDocument {
  const unchanged: Unchanged[] = [];
  let next = 0;
  let shift = 0;
  const visit = (element: XmlElement): void => {
    for (let edit = edits[next]; edit && edit.end <= element.start; edit = edits[++next]) {
      shift += edit.text.length - (edit.end - edit.start);
    }
    const edit = edits[next];
    if (element.parent && (!edit || edit.start >= element.end)) {
      unchanged.push({ element, start: element.start + shift, end: element.end + shift });
    } else {
      for (const child of element.children) visit(child);
    }
  };
  visit(before.root);
  return parse(readSource(applyEdits(before.text, edits)), unchanged);
}

/** An element that edits leave as it is, with its new offsets. */
type Unchanged = { readonly element: XmlElement; readonly start: number; readonly end: number };

function parse(text: string, unchanged: readonly Unchanged[]): XmlDocument {
  const { readable, tags } = guard(text, unchanged);
  let found = 0;
  const build = (nodes: readonly ParsedNode[], parent: XmlElement | undefined): XmlElement[] => {
    const elements: XmlElement[] = [];
    const copyUnchanged = (before: number): void => {
      for (let tag = tags[found]; tag && 'element' in tag && tag.start < before; tag = tags[++found]) {
        elements.push(tag.element.copy(text, tag.start, parent));
      }
    };
    for (const node of nodes) {
      const metadata = node[METADATA] as { startIndex: number; endIndex: number } | undefined;
      if (metadata === undefined) continue;
      copyUnchanged(metadata.startIndex);
      const tag = tags[found++];
      const isTag = tag?.start === metadata.startIndex && !('element' in tag);
      if (!isTag) throw new Error(`fast-xml-parser missed the tag at ${tag?.start}`);
      const element = new XmlElement(text, tag, metadata.endIndex, parent);
      for (const name in node) element.children = build(node[name] ?? [], element);
      elements.push(element);
    }
    if (parent) copyUnchanged(parent.end);
    return elements;
  };
  const [root] = build(parser.parse(readable), undefined);
  if (root === undefined || found !== tags.length) throw new Error(`fast-xml-parser found ${found} of ${tags.length}`);
  return new XmlDocument(text, root);
}
