import MagicString from 'magic-string';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import { Layout } from '../xml/layout.js';

/**
 * Takes back what an editor did: the exact opposite of its insertions, at offsets of the text. Unlike an editor's own
 * removal, this leaves what stands behind an element on its line.
 */
export class Cuts {
  readonly #document: XmlDocument;
  readonly #layout: Layout;
  readonly #target: MagicString;
  readonly #gone = new Set<XmlElement>();

  constructor(document: XmlDocument) {
    this.#document = document;
    this.#layout = new Layout(document);
    this.#target = new MagicString(document.text);
  }

  /** Whether an element, or one that it is in, was taken out. */
  isGone(element: XmlElement | undefined): boolean {
    return element !== undefined && (this.#gone.has(element) || this.isGone(element.parent));
  }

  /** Takes out an element with the line end and the indentation before it. */
  takeOut(element: XmlElement): void {
    if (this.isGone(element)) return;
    this.#gone.add(element);
    this.#target.remove(this.#startOf(element), element.end);
  }

  #startOf(element: XmlElement): number {
    const lines = this.#layout.linesOf(element);
    return (lines && this.#layout.lineStart(element)?.breakStart) ?? element.start;
  }

  /** Writes the text between an attribute's quotes; null takes the attribute out with the white space before it. */
  setRaw(element: XmlElement, name: string, raw: string | null): void {
    const at = element.attributes.findIndex((a) => a.name === name);
    const attribute = element.attributes[at];
    if (!attribute || this.isGone(element)) return;
    const before = element.attributes[at - 1]?.end ?? element.start + 1 + element.name.length;
    if (raw === null) this.#target.remove(before, attribute.end);
    else this.#put(attribute.valueStart, attribute.valueEnd, raw);
  }

  /** Puts the text of an attribute in, with the white space before it, behind the attribute of that name or as the first. */
  putAttribute(element: XmlElement, after: string, text: string): void {
    const end = element.attributes.find((a) => a.name === after)?.end ?? element.start + 1 + element.name.length;
    if (!this.isGone(element)) this.#target.appendLeft(end, text);
  }

  /** Puts a text in the place of an element. */
  put(element: XmlElement, text: string): void {
    if (!this.isGone(element)) this.#put(element.start, element.end, text);
  }

  /** Puts a text in, so many characters of what stays after an element, or after the start tag of the one that it is in. */
  putAfter(
    place: { readonly parent: XmlElement; readonly after: XmlElement | undefined },
    gap: number,
    text: string,
  ): void {
    const { parent, after } = place;
    if (this.isGone(parent)) return;
    let at = after?.end ?? parent.openEnd;
    let left = gap;
    for (const child of parent.children.filter((e) => e.start >= at && this.isGone(e))) {
      const start = this.#startOf(child);
      if (start - at >= left) break;
      left -= start - at;
      at = child.end;
    }
    this.#target.appendLeft(Math.min(at + left, parent.closeStart), text);
  }

  /** White space before an element on its line. */
  indentOf(element: XmlElement): string {
    return this.#layout.lineStart(element)?.indent ?? '';
  }

  /** Whether nothing is left in an element but white space. */
  isEmpty(element: XmlElement): boolean {
    let at = element.openEnd;
    for (const child of element.children) {
      if (!this.isGone(child) || this.#document.text.slice(at, child.start).trim() !== '') return false;
      at = child.end;
    }
    return this.#document.text.slice(at, element.closeStart).trim() === '';
  }

  /** Ends an element whose children were taken out as it did before it got them: with this text, or as an empty one. */
  close(element: XmlElement, tail: string | undefined): void {
    if (element.selfClosing || this.isGone(element)) return;
    const tagEnd = element.attributes.at(-1)?.end ?? element.start + 1 + element.name.length;
    const isEmpty = this.isEmpty(element);
    if (isEmpty && (tail === undefined || /^\s*\/?>/.test(tail)))
      this.#target.overwrite(tagEnd, element.end, tail ?? '/>');
    else if (!isEmpty && tail !== undefined && /^\s*<\//.test(tail)) {
      this.#target.overwrite(this.#lastKept(element), element.end, tail);
    }
  }

  /** Where the last thing that stays in an element ends. */
  #lastKept(element: XmlElement): number {
    let end = element.closeStart;
    for (const child of element.children.toReversed()) {
      if (this.#document.text.slice(child.end, end).trim() !== '' || !this.isGone(child)) break;
      end = this.#startOf(child);
    }
    return end - (/\s*$/.exec(this.#document.text.slice(element.openEnd, end))?.[0].length ?? 0);
  }

  #put(start: number, end: number, text: string): void {
    // magic-string overwrites no empty stretch, such as the value of a=''.
    if (start === end) this.#target.appendLeft(start, text);
    else this.#target.overwrite(start, end, text);
  }

  /** What becomes of a stretch of the text. */
  slice(start: number, end: number): string {
    return this.#target.slice(start, end);
  }

  toString(): string {
    return this.#target.toString();
  }
}
