import type { Place } from '../diagnostics.js';
import { XmlEditor } from './editor.js';
import { contentStart, readSource } from './source.js';
import { buildTree, nestTags } from './tree.js';
import { checkWellFormed } from './wellformed.js';

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

/** How the document's attribute values are quoted, counted. */
export interface QuoteCounts {
  readonly single: number;
  readonly double: number;
}

/** A document as it was read: its text, which never changes, and its elements with their places in that text. */
export class XmlDocument {
  private lineStarts: readonly number[] | undefined;

  /** For `parseXml`, which is how a document comes to be. */
  constructor(
    /** The whole text, byte order mark and line ends as they came. */
    readonly text: string,
    readonly root: XmlElement,
    readonly quotes: QuoteCounts,
  ) {}

  /** The line and column of an offset. Lines end with \n; a byte order mark is no column. */
  place(offset: number): Place {
    this.lineStarts ??= lineStarts(this.text);
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: Math.max(1, offset - (this.lineStarts[low] ?? 0) + 1) };
  }

  /** A new set of edits on this text; the document itself stays as it is. */
  edit(): XmlEditor {
    return new XmlEditor(this);
  }
}

/**
 * Reads a document: UTF-8 bytes, or their text. Accepts only what libxml2 accepts as well.
 * @throws InputError `xml-syntax`, `xml-doctype`, `xml-encoding`, `xml-too-large`, with the place where there is one
 */
export function parseXml(input: string | Uint8Array): XmlDocument {
  const text = readSource(input);
  const wellFormed = checkWellFormed(text);
  return new XmlDocument(text, buildTree(text, wellFormed), wellFormed.quotes);
}

/**
 * Reads a text that was made here, as `parseXml` does: the check of well-formedness has found its elements already, and no
 * second parser is asked for them.
 * @throws InputError `xml-syntax`, with the place
 */
export function parseOwnXml(text: string): XmlDocument {
  const { tags, quotes } = checkWellFormed(text);
  return new XmlDocument(text, nestTags(text, tags), quotes);
}

function lineStarts(text: string): number[] {
  const starts = [contentStart(text)];
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}
