import type { XmlDocument, XmlElement } from './document.js';
import type { Lines, Quote } from './print.js';
import { contentStart } from './source.js';

/** The position of an element that is the first thing on its line. */
interface LineStart {
  /** The offset of the line end before the element; the start of the document for an element on the first line. */
  readonly breakStart: number;
  readonly lineEnd: string;
  /** The white space between the line's start and the element. */
  readonly indent: string;
}

/** The layout of a document, which new elements follow. */
export class Layout {
  readonly #text: string;
  /** The document's line end, \n if it has none. */
  readonly #lineEnd: string;
  readonly #oneLine: boolean;
  readonly #mixed = new Map<XmlElement, boolean>();
  readonly #firstQuote: string | undefined;

  readonly #document: XmlDocument;

  constructor(document: XmlDocument) {
    this.#document = document;
    this.#text = document.text;
    const newline = this.#text.indexOf('\n');
    this.#lineEnd = this.#text[newline - 1] === '\r' ? '\r\n' : '\n';
    const { start, end } = document.root;
    const broken = this.#text.indexOf('\n', start);
    this.#oneLine = broken === -1 || broken >= end;
    this.#firstQuote = /=\s*(["'])/.exec(this.#text.slice(start, end))?.[1];
  }

  /** The quote for a new attribute of an element: its last attribute's, else the document's first one. */
  quote(element?: XmlElement): Quote {
    const last = element?.attributes.at(-1);
    return (last ? this.#text[last.valueEnd] : this.#firstQuote) === '"' ? '"' : "'";
  }

  /** Whether white space matters in an element: there is text in it. */
  isMixed(element: XmlElement): boolean {
    let mixed = this.#mixed.get(element);
    if (mixed === undefined) {
      mixed = /[^ \t\r\n]/.test(element.text);
      this.#mixed.set(element, mixed);
    }
    return mixed;
  }

  /** The place of an element that is the first on its line, among others that are not mixed with text. */
  lineStart(element: XmlElement): LineStart | undefined {
    const text = this.#text;
    if (element.parent !== undefined && this.isMixed(element.parent)) return undefined;
    let start = element.start;
    while (text[start - 1] === ' ' || text[start - 1] === '\t') start--;
    const indent = text.slice(start, element.start);
    if (start === contentStart(text)) return { breakStart: start, lineEnd: this.#lineEnd, indent };
    if (text[start - 1] !== '\n') return undefined;
    const lineEnd = text[start - 2] === '\r' ? '\r\n' : '\n';
    return { breakStart: start - lineEnd.length, lineEnd, indent };
  }

  /** The lines for something in an element's place, or beside it; undefined: it goes on the same line. */
  linesOf(element: XmlElement): Lines | undefined {
    const start = this.lineStart(element);
    if (start === undefined || this.#oneLine) return undefined;
    return { lineEnd: start.lineEnd, indent: start.indent, unit: this.#unit(element) };
  }

  /** The lines for a new child; undefined: it goes on the same line. */
  linesOfChildren(parent: XmlElement): Lines | undefined {
    if (this.isMixed(parent)) return undefined;
    const last = parent.children.findLast((child) => this.lineStart(child));
    if (parent.children.length > 0) return last && this.linesOf(last);
    const lines = this.linesOf(parent);
    return lines && { ...lines, indent: lines.indent + lines.unit };
  }

  /**
   * The stretch that goes when an element is removed: with the white space and the line end before it when it is alone on its
   * lines, so that what stands behind it keeps its own line. White space behind it on its line stays: it may have been there
   * before the element was.
   */
  removal(element: XmlElement): { readonly start: number; readonly end: number } {
    const start = this.lineStart(element);
    if (start === undefined || this.#commentsEnd(element) !== element.end) return element;
    return { start: start.breakStart, end: element.end };
  }

  /** Where something goes that follows an element on a line of its own: after the comments that stand behind it. */
  endOnLine(element: XmlElement): number {
    return this.#commentsEnd(element) ?? element.end;
  }

  /** Where the last thing in an element ends, white space apart. */
  contentEnd(element: XmlElement): number {
    let end = element.closeStart;
    while (end > element.openEnd && /[ \t\r\n]/.test(this.#text.charAt(end - 1))) end--;
    return end;
  }

  /** What a level of depth adds to the indentation: as at the element or around it, else as in the first indented line, else two spaces. */
  #unit(element: XmlElement): string {
    for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
      const unit = this.#unitAt(at);
      if (unit) return unit;
    }
    const { root } = this.#document;
    const content = this.#text.slice(root.openEnd, root.closeStart);
    return /\n([ \t]+)<\w/.exec(content)?.[1] ?? (content.includes('\n<') ? '' : '  ');
  }

  #unitAt(element: XmlElement): string | undefined {
    if (element.parent === undefined) return undefined;
    const inner = this.lineStart(element)?.indent;
    const outer = this.lineStart(element.parent)?.indent;
    if (inner === undefined || outer === undefined || !inner.startsWith(outer)) return undefined;
    return inner.slice(outer.length);
  }

  /** Where the comments behind an element end; undefined if something else stands between them and the line's end. */
  #commentsEnd({ end }: XmlElement): number | undefined {
    let commentsEnd = end;
    let at = this.#skipBlanks(end);
    while (this.#text.startsWith('<!--', at)) {
      commentsEnd = this.#text.indexOf('-->', at + 4) + 3;
      at = this.#skipBlanks(commentsEnd);
    }
    return /^(?:\r?\n|$)/.test(this.#text.slice(at, at + 2)) ? commentsEnd : undefined;
  }

  #skipBlanks(from: number): number {
    let at = from;
    while (this.#text[at] === ' ' || this.#text[at] === '\t') at++;
    return at;
  }
}
