import type { XmlDocument, XmlElement } from './document.js';
import type { Lines, Quote } from './print.js';
import { contentStart } from './source.js';

/** The position of an element that is the first thing on its line, with its indentation and the line end before it. */
interface LineStart extends Omit<Lines, 'unit'> {
  /** The offset of that line end; for an element on the first line, the start of the document. */
  readonly breakStart: number;
}

/** The layout of a document, which new elements follow. */
export class Layout {
  readonly #document: XmlDocument;
  readonly #text: string;
  /** The document's line end; \n if it has none. */
  readonly #lineEnd: string;
  readonly #oneLine: boolean;
  readonly #mixed = new Map<XmlElement, boolean>();
  readonly #firstQuote: string | undefined;

  constructor(document: XmlDocument) {
    this.#document = document;
    this.#text = document.text;
    this.#lineEnd = this.#lineEndAt(this.#text.indexOf('\n'));
    const { start, end } = document.root;
    const broken = this.#text.indexOf('\n', start);
    this.#oneLine = broken === -1 || broken >= end;
    this.#firstQuote = /=\s*(["'])/.exec(this.#text.slice(start, end))?.[1];
  }

  /** Returns the quote for a new attribute: that of the element's last attribute, or else the first one of the document. */
  quote(element?: XmlElement): Quote {
    const last = element?.attributes.at(-1);
    return (last ? this.#text[last.valueEnd] : this.#firstQuote) === '"' ? '"' : "'";
  }

  /** Whether an element contains text, so that its white space is significant. */
  isMixed(element: XmlElement): boolean {
    const mixed = this.#mixed.get(element) ?? /[^ \t\r\n]/.test(element.text);
    this.#mixed.set(element, mixed);
    return mixed;
  }

  /**
   * Returns the position of an element that is the first thing on its line. Undefined if it is not, or if its parent contains
   * text.
   */
  lineStart({ start, parent }: XmlElement): LineStart | undefined {
    if (parent !== undefined && this.isMixed(parent)) return undefined;
    let at = start;
    while (this.#text[at - 1] === ' ' || this.#text[at - 1] === '\t') at--;
    const indent = this.#text.slice(at, start);
    if (at === contentStart(this.#text)) return { breakStart: at, lineEnd: this.#lineEnd, indent };
    if (this.#text[at - 1] !== '\n') return undefined;
    const lineEnd = this.#lineEndAt(at - 1);
    return { breakStart: at - lineEnd.length, lineEnd, indent };
  }

  /**
   * Returns the line ends and indentation for something that replaces an element or is written next to it; undefined if it
   * goes on the same line.
   */
  linesOf(element: XmlElement): Lines | undefined {
    const start = this.lineStart(element);
    return start && !this.#oneLine ? { ...start, unit: this.#unit(element) } : undefined;
  }

  /** Returns the line ends and indentation for a new child; undefined if it goes on the same line. */
  linesOfChildren(parent: XmlElement): Lines | undefined {
    if (this.isMixed(parent)) return undefined;
    const last = parent.children.findLast((child) => this.lineStart(child));
    if (parent.children.length > 0) return last && this.linesOf(last);
    const lines = this.linesOf(parent);
    return lines && { ...lines, indent: lines.indent + lines.unit };
  }

  /**
   * Returns the range to delete when an element is removed. If the element is alone on its lines, the range includes the
   * white space and the line end before it, so that what follows it keeps its own line. White space after the element stays,
   * because it may have been there before the element was added.
   */
  removal(element: XmlElement): { readonly start: number; readonly end: number } {
    const start = this.lineStart(element);
    if (start === undefined || this.#commentsEnd(element) !== element.end) return element;
    return { start: start.breakStart, end: element.end };
  }

  /** Returns the offset at which to insert a line after an element: after the comments that follow it on its line. */
  endOnLine(element: XmlElement): number {
    return this.#commentsEnd(element) ?? element.end;
  }

  /** Returns the end of an element's content, without trailing white space. */
  contentEnd({ openEnd, closeStart }: XmlElement): number {
    let end = closeStart;
    while (end > openEnd && /[ \t\r\n]/.test(this.#text.charAt(end - 1))) end--;
    return end;
  }

  /**
   * Returns the indentation that one level of nesting adds: that of the element or its ancestors, else that of the first
   * indented line. Without any indentation, it is empty if elements begin on lines of their own, else two spaces.
   */
  #unit(element: XmlElement): string {
    for (let { parent } = element, inner = element; parent; inner = parent, parent = parent.parent) {
      const [indent, outer] = [this.lineStart(inner)?.indent, this.lineStart(parent)?.indent];
      if (outer !== undefined && indent?.startsWith(outer) && indent !== outer) return indent.slice(outer.length);
    }
    const { openEnd, closeStart } = this.#document.root;
    const content = this.#text.slice(openEnd, closeStart);
    return /\n([ \t]+)<\w/.exec(content)?.[1] ?? (content.includes('\n<') ? '' : '  ');
  }

  /**
   * Returns the end of the last comment after an element on its line, or else the end of the element; undefined if something
   * else follows on that line.
   */
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

  #lineEndAt(newline: number): string {
    return this.#text[newline - 1] === '\r' ? '\r\n' : '\n';
  }
}
