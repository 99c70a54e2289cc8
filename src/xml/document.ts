import type { Location } from '../diagnostics.js';
import { XmlEditor } from './editor.js';
import { guard } from './guard.js';
import { Lines, readSource } from './source.js';
import { buildTree } from './tree.js';

/** An attribute; offsets into the document's text. */
export interface XmlAttribute {
  /** The qualified name as written. */
  readonly name: string;
  /** Decoded and normalised as XML says: references resolved, written line ends and tabs as spaces. */
  readonly value: string;
  readonly start: number;
  /** After the closing quote. */
  readonly end: number;
  /** Inside the quotes. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** An element; offsets into the document's text, in UTF-16 code units. */
export interface XmlElement {
  /** The qualified name as written. */
  readonly name: string;
  readonly localName: string;
  /** '' for none. */
  readonly prefix: string;
  /** The namespace's name, '' for none. */
  readonly namespace: string;
  /** Undefined for the root. */
  readonly parent: XmlElement | undefined;
  /** Elements only, in order. */
  readonly children: readonly XmlElement[];
  /** The `<` of the start tag. */
  readonly start: number;
  /** After the last `>`. */
  readonly end: number;
  /** After the `>` of the start tag. */
  readonly openEnd: number;
  /** The `<` of the end tag; of a self-closing element its end. */
  readonly closeStart: number;
  readonly selfClosing: boolean;
  /** In the order they are written, namespace declarations among them. */
  readonly attributes: readonly XmlAttribute[];
  /** Its character data, CDATA sections too, decoded; without its descendants'. */
  readonly text: string;
  /** The decoded value of the attribute with this qualified name. */
  attribute(name: string): string | undefined;
  /** The first child of this name in no namespace. */
  child(name: string): XmlElement | undefined;
  /** The children of this name in no namespace. */
  childrenNamed(name: string): readonly XmlElement[];
}

/** A document as it was read: its text, which never changes, and its elements with their offsets in that text. */
export class XmlDocument {
  private lines: Lines | undefined;

  /** Called by `parseXml` only. */
  constructor(
    /** The whole text, byte order mark and line ends included. */
    readonly text: string,
    readonly root: XmlElement,
  ) {}

  /** The line and column of an offset. Lines end with \n; a byte order mark is not a column. */
  location(offset: number): Location {
    this.lines ??= new Lines(this.text);
    return this.lines.location(offset);
  }

  /** A new set of edits on this text; the document itself stays as it is. */
  edit(): XmlEditor {
    return new XmlEditor(this);
  }
}

/**
 * Reads a document from UTF-8 bytes or their text. Accepts only what libxml2 accepts.
 * @throws InputError `xml-syntax`, `xml-doctype`, `xml-encoding`, `xml-too-large`, with the place if it is known
 */
export function parseXml(input: string | Uint8Array): XmlDocument {
  const text = readSource(input);
  return new XmlDocument(text, buildTree(text, guard(text)));
}
