import { decodeAttributeValue, decodeText, normalizeLineEnds } from './characters.js';
import type { XmlAttribute, XmlElement } from './document.js';
import type { Tag } from './wellformed.js';

/** `name = "value"`, in a tag that is known to be well-formed. */
const ATTRIBUTE = /([^ \t\r\n=]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')/g;

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
    this.knownAttributes ??= readAttributes(this.source, this.start + 1 + this.name.length, this.openEnd);
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

function readAttributes(source: string, nameEnd: number, openEnd: number): readonly XmlAttribute[] {
  const tag = source.slice(nameEnd, openEnd);
  const attributes: XmlAttribute[] = [];
  for (const match of tag.matchAll(ATTRIBUTE)) {
    const [whole, name = '', double, single = ''] = match;
    const raw = double ?? single;
    const start = nameEnd + match.index;
    const end = start + whole.length;
    attributes.push({
      name,
      value: decodeAttributeValue(raw),
      start,
      end,
      valueStart: end - 1 - raw.length,
      valueEnd: end - 1,
    });
  }
  return attributes;
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
