import MagicString from 'magic-string';
import type { XmlDocument, XmlElement } from './document.js';
import { Layout } from './layout.js';
import { escapeAttributeValue, type Lines, printAttribute, printElement } from './print.js';

/** An element to be written: names as they are to stand, values and text in the clear (they are escaped when printed). */
export interface NewElement {
  readonly name: string;
  readonly attributes?: readonly (readonly [name: string, value: string])[];
  readonly children?: readonly NewElement[];
  readonly text?: string;
  /** For its attributes and those of what is in it, whatever the document has. */
  readonly quote?: "'" | '"';
}

/** The edits of one element. */
export interface ElementEdits {
  /** New values; undefined removes the attribute. */
  readonly attributes: Map<string, string | undefined>;
  readonly before: NewElement[];
  readonly appended: NewElement[];
  readonly after: NewElement[];
  /** An element replaces this one. */
  fate: 'stays' | 'goes' | NewElement;
}

/**
 * Edits of a document, applied to its text at the end: what no edit asks for stays byte for byte.
 * Edits name elements of the document as it was read, in any order; those within an element that is removed or replaced are
 * lost with it. Prefixes in names must be declared where they are written: nobody checks that.
 */
export class XmlEditor {
  private readonly changes = new Map<XmlElement, ElementEdits>();
  private result: string | undefined;

  constructor(private readonly document: XmlDocument) {}

  /**
   * Gives an attribute a value. It keeps its place and its quotes; a new one goes last, in the quotes of its neighbour or of the
   * document. The last call for a name counts.
   */
  setAttribute(element: XmlElement, name: string, value: string): void {
    this.changeOf(element).attributes.set(name, value);
  }

  /** Takes out an attribute with the white space before it; nothing to do where there is none. */
  removeAttribute(element: XmlElement, name: string): void {
    this.changeOf(element).attributes.set(name, undefined);
  }

  /** Adds a last child. */
  append(parent: XmlElement, child: NewElement): void {
    this.changeOf(parent).appended.push(child);
  }

  /** Several before one element stand in the order of the calls. */
  insertBefore(reference: XmlElement, element: NewElement): void {
    this.changeOf(notRoot(reference)).before.push(element);
  }

  /** Several after one element stand in the order of the calls. */
  insertAfter(reference: XmlElement, element: NewElement): void {
    this.changeOf(notRoot(reference)).after.push(element);
  }

  /** Takes out an element, with its lines where it is alone on them. What was inserted beside it stays. */
  remove(element: XmlElement): void {
    this.changeOf(notRoot(element)).fate = 'goes';
  }

  /** Puts another element in the place of this one. */
  replace(element: XmlElement, replacement: NewElement): void {
    this.changeOf(element).fate = replacement;
  }

  /** Everything that was asked for so far, by the element that it was asked of. */
  get edits(): ReadonlyMap<XmlElement, Readonly<ElementEdits>> {
    return this.changes;
  }

  /** Whether the edits make another text. */
  get changed(): boolean {
    return this.toString() !== this.document.text;
  }

  /**
   * The edited text.
   * @throws Error an edit that no XML can say: a name that is none, a character that is not allowed
   */
  toString(): string {
    if (this.changes.size === 0) return this.document.text;
    this.result ??= new Edition(this.document, this.changes).print();
    return this.result;
  }

  private changeOf(element: XmlElement): ElementEdits {
    this.result = undefined;
    let change = this.changes.get(element);
    if (change === undefined) {
      this.checkOurs(element);
      change = { attributes: new Map(), before: [], appended: [], after: [], fate: 'stays' };
      this.changes.set(element, change);
    }
    return change;
  }

  private checkOurs(element: XmlElement): void {
    let root = element;
    while (root.parent !== undefined) root = root.parent;
    if (root !== this.document.root) throw new Error(`<${element.name}> is of another document`);
  }
}

function notRoot(element: XmlElement): XmlElement {
  if (element.parent === undefined) throw new Error(`<${element.name}> is the root: it stays, and has no siblings`);
  return element;
}

/** One application of the changes. Cuts come first and insertions then, in document order: those at one place keep that order. */
class Edition {
  private readonly text: string;
  private readonly layout: Layout;
  private readonly target: MagicString;
  private readonly insertions: { readonly at: number; readonly text: string }[] = [];
  /** The last stretch that was removed, and those right before it. */
  private gap = { start: -1, end: -1 };

  constructor(
    private readonly document: XmlDocument,
    private readonly changes: ReadonlyMap<XmlElement, ElementEdits>,
  ) {
    this.text = document.text;
    this.layout = new Layout(document);
    this.target = new MagicString(document.text);
  }

  print(): string {
    this.visit(this.document.root);
    for (const { at, text } of this.insertions) this.target.appendLeft(at, text);
    return this.target.toString();
  }

  private visit(element: XmlElement): void {
    const change = this.changes.get(element);
    if (change === undefined) {
      for (const child of element.children) this.visit(child);
      return;
    }
    this.insertBefore(element, change.before);
    if (change.fate === 'stays') {
      this.changeAttributes(element, change.attributes);
      for (const child of element.children) this.visit(child);
      this.append(element, change.appended);
    } else if (change.fate === 'goes') {
      this.takeOut(this.layout.removal(element));
    } else {
      this.cut(element.start, element.end, this.printNew(change.fate, this.layout.linesOf(element)));
    }
    this.insertAfter(element, change.after);
  }

  /** Removes a stretch. Text on both sides becomes one: `]]` and `>` must not meet in it (XML 1.0, section 2.4). */
  private takeOut({ start, end }: { readonly start: number; readonly end: number }): void {
    this.target.remove(start, end);
    const joins = this.gap.end === start && this.insertions.at(-1)?.at !== start;
    this.gap = { start: joins ? this.gap.start : start, end };
    const before = this.text.slice(Math.max(0, this.gap.start - 2), this.gap.start);
    const after = this.text.slice(end, end + 2);
    const bracket = (before + after).indexOf(']]>');
    if (bracket === -1) return;
    const at = end + bracket + 2 - before.length;
    this.target.overwrite(at, at + 1, '&gt;');
  }

  private changeAttributes(element: XmlElement, values: ReadonlyMap<string, string | undefined>): void {
    if (values.size === 0) return;
    let end = element.start + 1 + element.name.length;
    const missing = new Map(values);
    for (const attribute of element.attributes) {
      const value = values.get(attribute.name);
      if (missing.delete(attribute.name)) {
        if (value === undefined) this.target.remove(end, attribute.end);
        else if (value !== attribute.value) {
          const quote = this.text[attribute.valueEnd] === '"' ? '"' : "'";
          this.cut(attribute.valueStart, attribute.valueEnd, escapeAttributeValue(value, quote));
        }
      }
      end = attribute.end;
    }
    for (const [name, value] of missing) {
      if (value !== undefined) this.insert(end, ` ${printAttribute(name, value, this.layout.quote(element))}`);
    }
  }

  private insertBefore(reference: XmlElement, added: readonly NewElement[]): void {
    if (added.length === 0) return;
    const lines = this.layout.linesOf(reference);
    const at = (lines && this.layout.lineStart(reference)?.breakStart) ?? reference.start;
    this.insert(at, this.printAll(added, lines));
  }

  private insertAfter(reference: XmlElement, added: readonly NewElement[]): void {
    if (added.length === 0) return;
    const lines = this.layout.linesOf(reference);
    this.insert(lines === undefined ? reference.end : this.layout.endOnLine(reference), this.printAll(added, lines));
  }

  private append(parent: XmlElement, added: readonly NewElement[]): void {
    if (added.length === 0) return;
    const { layout } = this;
    const lines = layout.linesOfChildren(parent);
    let printed = this.printAll(added, lines);
    let at = layout.isMixed(parent) ? parent.closeStart : layout.contentEnd(parent);
    if (lines !== undefined && !this.text.slice(at, parent.closeStart).includes('\n')) {
      printed += lines.lineEnd + (layout.lineStart(parent)?.indent ?? '');
    }
    if (parent.selfClosing) {
      const tagEnd = parent.attributes.at(-1)?.end ?? parent.start + 1 + parent.name.length;
      this.cut(tagEnd, parent.end, '>');
      printed += `</${parent.name}>`;
      at = parent.end;
    }
    this.insert(at, printed);
  }

  /** Elements one after the other, each on its own lines or all on one. */
  private printAll(added: readonly NewElement[], lines: Lines | undefined): string {
    const lead = lines === undefined ? '' : lines.lineEnd + lines.indent;
    return added.map((element) => lead + this.printNew(element, lines)).join('');
  }

  private printNew(element: NewElement, lines: Lines | undefined): string {
    return printElement(element, this.layout.quote(), lines);
  }

  private insert(at: number, text: string): void {
    this.insertions.push({ at, text });
  }

  private cut(start: number, end: number, replacement: string): void {
    // magic-string overwrites no empty stretch, such as the value of a=''.
    if (start === end) this.insert(start, replacement);
    else this.target.overwrite(start, end, replacement);
  }
}
