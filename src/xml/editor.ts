import type { XmlDocument, XmlElement } from './document.js';
import { Layout } from './layout.js';
import { escapeAttributeValue, type Lines, type NewElement, printAttribute, printElement } from './print.js';
import { skipSpace } from './start-tag.js';
import { applyEdits, sortEdits, type TextEdit } from './text-edits.js';

/** The edits of one element. */
interface Change {
  /** New values; undefined removes the attribute. */
  readonly attributes: Map<string, string | undefined>;
  readonly before: NewElement[];
  readonly appended: NewElement[];
  readonly after: NewElement[];
  /** The replacement; null removes the element, undefined keeps it. */
  instead: NewElement | null | undefined;
  whenEmpty: 'close' | 'remove' | undefined;
}

/**
 * Collects edits of a document and turns them into edits of its text at the end. Text that no edit touches stays the same,
 * byte for byte. Edits refer to elements of the parsed document and can come in any order. Edits inside an element that is
 * removed or replaced have no effect. The caller must make sure that the prefixes of names are declared where the names are
 * written.
 */
export class XmlEditor {
  readonly #document: XmlDocument;
  readonly #text: string;
  readonly #changes = new Map<XmlElement, Change>();
  readonly #layout: Layout;
  #edits: TextEdit[] = [];
  readonly #insertions = new Set<number>();
  /** The last removed range, including the removed ranges directly before it. */
  #gap = { start: -1, end: -1 };

  constructor(document: XmlDocument) {
    this.#document = document;
    this.#text = document.text;
    this.#layout = new Layout(document);
  }

  /**
   * Sets the value of an attribute, or removes the attribute with the white space before it if the value is undefined. An
   * existing attribute keeps its position and its quotes. A new one is added at the end, with the quotes of the last attribute,
   * or else of the document. If several calls set the same attribute, the last one counts.
   */
  setAttribute(element: XmlElement, name: string, value: string | undefined): void {
    this.#changeOf(element).attributes.set(name, value);
  }

  /** Adds a child after all other children. Elements that are added at one place appear in the order of the calls. */
  append(parent: XmlElement, child: NewElement): void {
    this.#changeOf(parent).appended.push(child);
  }

  insertBefore(reference: XmlElement, element: NewElement): void {
    this.#changeOf(notRoot(reference)).before.push(element);
  }

  insertAfter(reference: XmlElement, element: NewElement): void {
    this.#changeOf(notRoot(reference)).after.push(element);
  }

  /** Removes an element; also its lines, if nothing else is on them. Elements inserted before or after it stay. */
  remove(element: XmlElement): void {
    this.#changeOf(notRoot(element)).instead = null;
  }

  /** If an element has no content left, writes it as `<name/>`; with `remove`, removes it if it has no attributes left either. */
  whenEmpty(element: XmlElement, action: 'close' | 'remove'): void {
    const change = this.#changeOf(element);
    if (action === 'remove' || !change.whenEmpty) change.whenEmpty = action;
  }

  replace(element: XmlElement, replacement: NewElement): void {
    this.#changeOf(element).instead = replacement;
  }

  /** Whether the edits so far remove an element, directly or because it is left empty. */
  isRemoved(element: XmlElement): boolean {
    const { instead, whenEmpty, attributes = new Map() } = this.#changes.get(element) ?? {};
    if (instead !== undefined || whenEmpty !== 'remove') return instead === null;
    const names = [...element.attributes.map(({ name }) => name), ...attributes.keys()];
    return (
      names.every((name) => attributes.has(name) && attributes.get(name) === undefined) && this.#isEmptied(element)
    );
  }

  /** Whether the edits so far leave an element without content. */
  #isEmptied(element: XmlElement): boolean {
    if (this.#changes.get(element)?.appended.length) return false;
    let at = element.openEnd;
    for (const child of element.children) {
      const change = this.#changes.get(child);
      if (!this.isRemoved(child) || change?.before.length || change?.after.length) return false;
      if (skipSpace(this.#text, at) < child.start) return false;
      at = child.end;
    }
    return skipSpace(this.#text, at) >= element.closeStart;
  }

  get hasEdits(): boolean {
    return this.#changes.size > 0;
  }

  /** Returns the edited text. @throws as `textEdits` */
  toString(): string {
    return applyEdits(this.#text, this.textEdits());
  }

  /**
   * Returns the edits of the text, in text order.
   * @throws Error if XML cannot represent an edit: an invalid name or character
   */
  textEdits(): readonly TextEdit[] {
    this.#edits = [];
    this.#insertions.clear();
    this.#gap = { start: -1, end: -1 };
    if (this.hasEdits) this.#visit(this.#document.root);
    return sortEdits(this.#edits);
  }

  #changeOf(element: XmlElement): Change {
    let change = this.#changes.get(element);
    if (change === undefined) {
      let root = element;
      while (root.parent !== undefined) root = root.parent;
      if (root !== this.#document.root) throw new Error(`<${element.name}> belongs to another document`);
      change = { attributes: new Map(), before: [], appended: [], after: [], instead: undefined, whenEmpty: undefined };
      this.#changes.set(element, change);
    }
    return change;
  }

  #visit(element: XmlElement): void {
    const change = this.#changes.get(element);
    if (change === undefined) {
      for (const child of element.children) this.#visit(child);
      return;
    }
    const layout = this.#layout;
    const { before, instead, after } = change;
    const lines = before.length > 0 || instead || after.length > 0 ? layout.linesOf(element) : undefined;
    this.#insert((lines && layout.lineStart(element)?.breakStart) ?? element.start, this.#printAll(before, lines));
    if (instead) {
      this.#cut(element.start, element.end, printElement(instead, layout.quote(), lines));
    } else if (this.isRemoved(element)) {
      this.#removeRange(layout.removal(element));
    } else {
      this.#changeAttributes(element, change.attributes);
      for (const child of element.children) this.#visit(child);
      this.#append(element, change.appended);
      if (change.whenEmpty && !element.selfClosing && this.#isEmptied(element)) {
        this.#cut(tagContentEnd(element), element.end, '/>');
      }
    }
    this.#insert(lines ? layout.endOnLine(element) : element.end, this.#printAll(after, lines));
  }

  /** Removes a range. This joins the text before and after it, which must not form `]]>` (XML 1.0, section 2.4). */
  #removeRange({ start, end }: { readonly start: number; readonly end: number }): void {
    this.#cut(start, end, '');
    const joins = this.#gap.end === start && !this.#insertions.has(start);
    this.#gap = { start: joins ? this.#gap.start : start, end };
    const before = this.#text.slice(Math.max(0, this.#gap.start - 2), this.#gap.start);
    const bracket = (before + this.#text.slice(end, end + 2)).indexOf(']]>');
    if (bracket === -1) return;
    const at = end + bracket + 2 - before.length;
    this.#cut(at, at + 1, '&gt;');
  }

  #changeAttributes(element: XmlElement, values: ReadonlyMap<string, string | undefined>): void {
    if (values.size === 0) return;
    let end = nameEnd(element);
    const missing = new Map(values);
    for (const attribute of element.attributes) {
      const value = values.get(attribute.name);
      if (missing.delete(attribute.name)) {
        if (value === undefined) this.#cut(end, attribute.end, '');
        else if (value !== attribute.value) {
          const quote = this.#text[attribute.valueEnd] === '"' ? '"' : "'";
          this.#cut(attribute.valueStart, attribute.valueEnd, escapeAttributeValue(value, quote));
        }
      }
      end = attribute.end;
    }
    for (const [name, value] of missing) {
      if (value !== undefined) this.#insert(end, ` ${printAttribute(name, value, this.#layout.quote(element))}`);
    }
  }

  #append(parent: XmlElement, added: readonly NewElement[]): void {
    if (added.length === 0) return;
    const layout = this.#layout;
    const lines = layout.linesOfChildren(parent);
    let printed = this.#printAll(added, lines);
    let at = layout.isMixed(parent) ? parent.closeStart : layout.contentEnd(parent);
    if (lines !== undefined && !this.#text.slice(at, parent.closeStart).includes('\n')) {
      printed += lines.lineEnd + (layout.lineStart(parent)?.indent ?? '');
    }
    if (parent.selfClosing) {
      this.#cut(tagContentEnd(parent), parent.end, '>');
      printed += `</${parent.name}>`;
      at = parent.end;
    }
    this.#insert(at, printed);
  }

  /** Prints elements one after another: each on its own lines, or all on one line. */
  #printAll(added: readonly NewElement[], lines: Lines | undefined): string {
    const lead = lines === undefined ? '' : lines.lineEnd + lines.indent;
    return added.map((element) => lead + printElement(element, this.#layout.quote(), lines)).join('');
  }

  #insert(at: number, text: string): void {
    if (text === '') return;
    this.#insertions.add(at);
    this.#cut(at, at, text);
  }

  #cut(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }
}

function notRoot(element: XmlElement): XmlElement {
  if (element.parent === undefined)
    throw new Error(`<${element.name}> is the root element, which cannot be removed or have siblings`);
  return element;
}

/** Returns the offset after the name in an element's start tag. */
function nameEnd({ start, name }: XmlElement): number {
  return start + 1 + name.length;
}

/** Returns the offset after the last attribute in an element's start tag, or else after its name. */
function tagContentEnd(element: XmlElement): number {
  return element.attributes.at(-1)?.end ?? nameEnd(element);
}
