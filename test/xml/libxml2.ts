import {
  type XmlAttribute,
  XmlC14NMode,
  XmlCData,
  XmlDocument,
  XmlElement,
  XmlParseError,
  XmlText,
} from 'libxml2-wasm';

/** What libxml2 has against a text; undefined: it takes it without an error. */
export function complaint(text: string): string | undefined {
  if (/\p{Surrogate}/u.test(text)) return 'no UTF-8 can say a lone surrogate';
  try {
    XmlDocument.fromBuffer(Buffer.from(text)).dispose();
    return undefined;
  } catch (error) {
    if (error instanceof XmlParseError) return error.message.trim();
    throw error;
  }
}

/** A document in Canonical XML 1.0, as libxml2 makes it, comments left out. */
export function canonical(text: string): string {
  const document = XmlDocument.fromBuffer(Buffer.from(text));
  try {
    return document.canonicalizeToString({ mode: XmlC14NMode.XML_C14N_1_0, withComments: false });
  } finally {
    document.dispose();
  }
}

/** An element, told in plain data. */
export interface PlainElement {
  readonly name: string;
  readonly namespace: string;
  /** Without namespace declarations, by name. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Character data and CDATA sections of its own. */
  readonly text: string;
  readonly children: readonly PlainElement[];
}

/** The elements of a document, as libxml2 sees them. */
export function plainTree(text: string): PlainElement {
  const document = XmlDocument.fromBuffer(Buffer.from(text));
  try {
    return plain(document.root);
  } finally {
    document.dispose();
  }
}

function plain(element: XmlElement): PlainElement {
  const children: PlainElement[] = [];
  let text = '';
  // By XPath: libxml2-wasm cannot step over a processing instruction.
  for (const node of element.find('*|text()')) {
    if (node instanceof XmlElement) children.push(plain(node));
    else if (node instanceof XmlText || node instanceof XmlCData) text += node.content;
  }
  return {
    name: qualified(element),
    namespace: element.namespaceUri,
    attributes: Object.fromEntries(element.attrs.map((attribute) => [qualified(attribute), attribute.value])),
    text,
    children,
  };
}

function qualified(node: XmlElement | XmlAttribute): string {
  return node.prefix === '' ? node.name : `${node.prefix}:${node.name}`;
}
