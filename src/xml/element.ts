import { decodeText, normalizeLineEnds } from './characters.js';
import type { XmlAttribute, XmlElement } from './document.js';
import { declaredNamespaces, XML_NAMESPACE } from './namespaces.js';
import { readStartTag } from './start-tag.js';

/** What may stand between two child elements: a comment, an instruction, a CDATA section, text. */
const CONTENT = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|([^<]+)/g;

/** An element of a document. */
export class ElementNode implements XmlElement {
  readonly name: string;
  readonly localName: string;
  readonly prefix: string;
  readonly namespace: string;
  readonly attributes: readonly XmlAttribute[];
  readonly openEnd: number;
  readonly closeStart: number;
  readonly selfClosing: boolean;
  /** Set once, while the tree is built. */
  children: readonly ElementNode[] = [];
  private readonly declared: ReadonlyMap<string, string> | undefined;
  private knownText: string | undefined;

  /** @throws Error if no element with its end tag stands there */
  constructor(
    private readonly source: string,
    readonly start: number,
    readonly end: number,
    readonly parent: ElementNode | undefined,
  ) {
    const tag = readStartTag(source, start);
    const { name } = tag;
    this.name = name;
    this.attributes = tag.attributes;
    this.openEnd = tag.end;
    this.selfClosing = tag.selfClosing;
    this.closeStart = tag.selfClosing ? end : source.lastIndexOf('<', end - 1);
    const closed = tag.selfClosing ? tag.end === end : source.startsWith(`/${name}`, this.closeStart + 1);
    if (!closed) throw new Error(`fast-xml-parser found no element at ${start}–${end}`);
    this.declared = declaredNamespaces(tag.attributes);
    const colon = name.indexOf(':');
    const namespace = this.namespaceOf(name.slice(0, Math.max(0, colon)));
    // libxml2 takes a prefix that is not declared for a part of the name.
    const nameStart = namespace === undefined ? 0 : colon + 1;
    this.namespace = namespace ?? '';
    this.prefix = name.slice(0, Math.max(0, nameStart - 1));
    this.localName = name.slice(nameStart);
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

  private namespaceOf(prefix: string): string | undefined {
    const declared = this.declared?.get(prefix);
    if (declared !== undefined) return declared;
    if (this.parent !== undefined) return this.parent.namespaceOf(prefix);
    return prefix === '' ? '' : prefix === 'xml' ? XML_NAMESPACE : undefined;
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
