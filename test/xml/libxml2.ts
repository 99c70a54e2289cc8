import {
  ParseOption,
  type XmlAttribute,
  XmlC14NMode,
  XmlCData,
  XmlDocument,
  XmlElement,
  XmlParseError,
  XmlText,
} from 'libxml2-wasm';
import type { XmlElement as ParsedElement } from '../../src/xml/document.js';

const XML_ERR_FATAL = 3;

/** libxml2's fatal errors about a text; undefined if it accepts the text. libvirt ignores the errors that are not fatal. */
export function complaint(text: string): string | undefined {
  if (/\p{Surrogate}/u.test(text)) return 'UTF-8 cannot express a lone surrogate';
  try {
    XmlDocument.fromBuffer(Buffer.from(text)).dispose();
    return undefined;
  } catch (error) {
    if (!(error instanceof XmlParseError)) throw error;
    const fatal = error.details.filter(({ level }) => level === XML_ERR_FATAL).map(({ message }) => message.trim());
    return fatal.length === 0 ? undefined : fatal.join('; ');
  }
}

/** Returns a document as Canonical XML 1.0 from libxml2, without comments. */
export function canonical(text: string): string {
  const document = XmlDocument.fromBuffer(Buffer.from(text));
  try {
    return document.canonicalizeToString({ mode: XmlC14NMode.XML_C14N_1_0, withComments: false });
  } finally {
    document.dispose();
  }
}

/** An element as plain data. */
export interface PlainElement {
  readonly name: string;
  readonly namespace: string;
  /** Attributes by name, without namespace declarations. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Its own character data and CDATA sections. */
  readonly text: string;
  readonly children: readonly PlainElement[];
}

/** An element of this project's tree as plain data. */
export function plain(element: ParsedElement): PlainElement {
  const attributes = element.attributes.filter(({ name }) => name !== 'xmlns' && !name.startsWith('xmlns:'));
  return {
    name: element.name,
    namespace: unmarked(element.namespace),
    attributes: Object.fromEntries(attributes.map(({ name, value }) => [name, unmarked(value)])),
    text: unmarked(element.text),
    children: element.children.map(plain),
  };
}

/** The elements of a document as libxml2 reads them. */
export function plainTree(text: string): PlainElement {
  const document = XmlDocument.fromBuffer(Buffer.from(text), { option: ParseOption.XML_PARSE_NOERROR });
  try {
    return plainOf(document.root);
  } finally {
    document.dispose();
  }
}

function plainOf(element: XmlElement): PlainElement {
  const children: PlainElement[] = [];
  let text = '';
  // With XPath, because libxml2-wasm cannot skip a processing instruction.
  for (const node of element.find('*|text()')) {
    if (node instanceof XmlElement) children.push(plainOf(node));
    else if (node instanceof XmlText || node instanceof XmlCData) text += node.content;
  }
  return {
    name: qualified(element),
    namespace: unmarked(element.namespaceUri),
    attributes: Object.fromEntries(element.attrs.map((attribute) => [qualified(attribute), unmarked(attribute.value)])),
    text: unmarked(text),
    children,
  };
}

/** Removes U+FEFF, which libxml2-wasm drops at the start of a string. */
function unmarked(value: string): string {
  return value.replaceAll('\uFEFF', '');
}

function qualified(node: XmlElement | XmlAttribute): string {
  return node.prefix === '' ? node.name : `${node.prefix}:${node.name}`;
}
