import { decodeAttributeValue, decodeText, normalizeLineEnds } from './characters.js';
import type { XmlAttribute, XmlElement } from './document.js';
import { skipSpace } from './start-tag.js';
import type { Tag } from './wellformed.js';

/** What may stand between two child elements, one after the other: a comment, an instruction, a CDATA section, text. */
const CONTENT = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|([^<]+)/g;

const NOTHING: readonly never[] = [];

/** An element of a document; what costs something is found when it is first asked for. */
export class ElementNode implements XmlElement {
  readonly name: string;
  readonly namespace: string;
  readonly start: number;
  readonly end: number;
  readonly openEnd: number;
  readonly closeStart: number;
  readonly selfClosing: boolean;
  /** Set once, while the tree is built. */
  children: readonly ElementNode[] = NOTHING;
  private knownAttributes: readonly XmlAttribute[] | undefined;
  private knownText: string | undefined;

  constructor(
    private readonly source: string,
    tag: Tag,
    readonly parent: ElementNode | undefined,
  ) {
    this.name = tag.name;
    this.namespace = tag.namespace;
    this.start = tag.start;
    this.end = tag.end;
    this.openEnd = tag.openEnd;
    this.closeStart = tag.closeStart;
    this.selfClosing = tag.selfClosing;
  }

  get localName(): string {
    return this.name.slice(this.name.indexOf(':') + 1);
  }

  get prefix(): string {
    return this.name.slice(0, Math.max(0, this.name.indexOf(':')));
  }

  get attributes(): readonly XmlAttribute[] {
    this.knownAttributes ??= readAttributes(this.source, this.start + 1 + this.name.length);
    return this.knownAttributes;
  }

  get text(): string {
    this.knownText ??= this.readText();
    return this.knownText;
  }

  attribute(name: string): string | undefined {
    return this.attributes.find((attribute) => attribute.name === name)?.value;
  }

  child(name: string): ElementNode | undefined {
    return this.children.find((child) => child.name === name && child.namespace === '');
  }

  childrenNamed(name: string): readonly ElementNode[] {
    return this.children.filter((child) => child.name === name && child.namespace === '');
  }

  private readText(): string {
    let text = '';
    let at = this.openEnd;
    for (const child of this.children) {
      text += textOf(this.source.slice(at, child.start));
      at = child.end;
    }
    return text + textOf(this.source.slice(at, this.closeStart));
  }
}

/** The attributes between the name and the end of a start tag that is known to be well-formed. */
function readAttributes(source: string, nameEnd: number): readonly XmlAttribute[] {
  const attributes: XmlAttribute[] = [];
  let at = nameEnd;
  for (;;) {
    const start = skipSpace(source, at);
    const first = source.charAt(start);
    if (first === '/' || first === '>') return attributes;
    const equals = source.indexOf('=', start);
    const opening = skipSpace(source, equals + 1);
    const valueStart = opening + 1;
    const valueEnd = source.indexOf(source.charAt(opening), valueStart);
    at = valueEnd + 1;
    attributes.push({
      name: source.slice(start, equals).trimEnd(),
      value: decodeAttributeValue(source.slice(valueStart, valueEnd)),
      start,
      end: at,
      valueStart,
      valueEnd,
    });
  }
}

/** The character data of a piece of content that holds no element. */
function textOf(content: string): string {
  if (!content.includes('<')) return decodeText(content);
  let text = '';
  for (const [, section, characters] of content.matchAll(CONTENT)) {
    if (section !== undefined) text += normalizeLineEnds(section);
    else if (characters !== undefined) text += decodeText(characters);
  }
  return text;
}
