import type { ChangedElement, DomainRecord } from '../generated/metadata.js';
import type { XmlAttribute, XmlDocument, XmlElement } from '../xml/document.js';
import type { ElementEdits, NewElement } from '../xml/editor.js';
import { Layout } from '../xml/layout.js';
import { Cuts } from './cuts.js';
import { below, describeNew, editedStep, find, pathOf, stepOf } from './path.js';
import { isSame } from './places.js';
import { type Form, printedAttribute, printedElement } from './print-form.js';

/** What is known of one element that changed. */
interface Entry {
  /** Children that these edits add, by step. */
  readonly added: Set<string>;
  /** Children that earlier runs added. */
  readonly kept: Set<XmlElement>;
  readonly attributes: Map<string, { was: string | null; now: string | null }>;
  tail: string | undefined;
  lost: string | undefined;
}

/** What an earlier record and new edits come to: the record of both. */
export class Notebook {
  readonly #document: XmlDocument;
  readonly #edits: ReadonlyMap<XmlElement, ElementEdits>;
  readonly #layout: Layout;
  readonly #entries = new Map<XmlElement, Entry>();
  /** Elements that earlier runs added: what becomes of them is nobody's loss. */
  readonly #ours = new Set<XmlElement>();
  /** Elements that earlier runs put in the place of others. */
  readonly #rewritten = new Set<XmlElement>();
  readonly #removed: DomainRecord['removed'] = [];
  readonly #replaced: DomainRecord['replaced'] = [];

  constructor(document: XmlDocument, edits: ReadonlyMap<XmlElement, ElementEdits>) {
    this.#document = document;
    this.#edits = new Map(edits);
    this.#layout = new Layout(document);
  }

  /** Takes over an earlier record: the first word about an element is the one that counts. */
  carryOver({ changed, removed, replaced }: DomainRecord, form: Form): void {
    const { root } = this.#document;
    for (const { element: path, added, tail, lost, attributes } of changed) {
      const element = find(root, path);
      if (!element) continue;
      const entry = this.#entry(element);
      for (const step of added) {
        const child = find(root, below(path, step));
        if (!child) continue;
        entry.kept.add(child);
        this.#ours.add(child);
      }
      if (form !== 'libvirt') entry.tail = tail;
      entry.lost = lost;
      for (const [key, { was, now }] of Object.entries(attributes)) {
        const [child = '', name = ''] = key.split(/\.(.*)/s);
        const target = child === 'self' ? element : element.child(child);
        if (!isSame(target?.attribute(name), now)) continue;
        entry.attributes.set(key, { was: form === 'libvirt' ? printedAttribute(child, name, was) : was, now });
      }
    }
    const asEdited = (path: string) => {
      const element = find(root, path);
      return element && this.#edits.get(element)?.fate !== 'goes' ? pathOf(element, this.#edits) : path;
    };
    for (const was of removed) {
      const each = { ...was, from: asEdited(was.from), after: was.after === null ? null : asEdited(was.after) };
      const indent = `  ${this.#indentOf(find(root, was.from))}`;
      const printed = { ...each, gap: 0, text: `\n${indent}${printedElement(each.text, indent)}` };
      this.#removed.push(form === 'libvirt' ? printed : each);
    }
    for (const each of replaced) {
      // What comes and goes in an element that is put back as a whole needs no word.
      const element = find(root, each.element);
      if (element) this.#rewritten.add(element);
      const indent = this.#indentOf(find(root, each.element));
      this.#replaced.push(form === 'libvirt' ? { ...each, was: printedElement(each.was, indent) } : each);
    }
  }

  #indentOf(element: XmlElement | undefined): string {
    return (element && this.#layout.lineStart(element)?.indent) ?? '';
  }

  noteEdits(): void {
    const inOrder = [...this.#edits].sort(([a], [b]) => a.start - b.start);
    for (const [element, { attributes, before, appended, after, fate }] of inOrder) {
      if (element.parent && (before.length > 0 || after.length > 0))
        this.#noteAdded(element.parent, [...before, ...after]);
      if (fate === 'goes') this.#noteRemoved(element);
      else if (fate !== 'stays') this.#noteReplaced(element, fate);
      else {
        this.#noteAttributes(element, attributes);
        if (appended.length === 0) continue;
        const opened = this.#entries.get(element);
        this.#noteAdded(element, appended);
        if (!opened?.kept.size) this.#noteTail(element);
      }
    }
  }

  /** The `<metadata>` that the record goes to; undefined: a new one. */
  noteMetadata(metadata: XmlElement | undefined): void {
    if (metadata) this.#noteTail(metadata);
    else this.#entry(this.#document.root).added.add('metadata');
  }

  record(): Omit<DomainRecord, 'digest'> {
    const changed = [...this.#entries].flatMap(
      ([element, { kept, added: fresh, attributes, tail, lost }]): ChangedElement[] => {
        const added = new Set([...[...kept].map((child) => editedStep(child, this.#edits)), ...fresh].sort(byName));
        if (added.size + attributes.size === 0 && (tail ?? lost) === undefined) return [];
        const path = pathOf(element, this.#edits);
        const entry = { element: path, added: [...added], attributes: Object.fromEntries(attributes) };
        return [{ ...entry, ...(tail !== undefined && { tail }), ...(lost !== undefined && { lost }) }];
      },
    );
    const inOrder = (a: ChangedElement, b: ChangedElement) =>
      Number(b.element.includes('/')) - Number(a.element.includes('/'));
    return { changed: changed.sort(inOrder), removed: this.#removed, replaced: this.#replaced };
  }

  #entry(element: XmlElement): Entry {
    const entry = this.#entries.get(element) ?? {
      added: new Set<string>(),
      kept: new Set<XmlElement>(),
      attributes: new Map(),
      tail: undefined,
      lost: undefined,
    };
    this.#entries.set(element, entry);
    return entry;
  }

  #isOurs(element: XmlElement | undefined): boolean {
    if (element === undefined) return false;
    const { parent } = element;
    return this.#ours.has(element) || (parent !== undefined && this.#rewritten.has(parent)) || this.#isOurs(parent);
  }

  #noteAdded(parent: XmlElement, added: readonly NewElement[]): void {
    if (this.#isOurs(parent) || this.#rewritten.has(parent)) return;
    for (const element of added) this.#entry(parent).added.add(stepOf(describeNew(element)));
  }

  #noteRemoved(element: XmlElement): void {
    const { parent } = element;
    if (!parent) return;
    if (this.#isOurs(element)) {
      this.#entries.get(parent)?.kept.delete(element);
      return;
    }
    const { start, end } = this.#layout.removal(element);
    const others = parent.children.slice(0, parent.children.indexOf(element));
    const goes = (sibling: XmlElement) => this.#edits.get(sibling)?.fate === 'goes';
    const steps = parent.children.filter((e) => !goes(e)).map((e) => editedStep(e, this.#edits));
    const isOnly = (step: string) => steps.indexOf(step) === steps.lastIndexOf(step);
    const previous = others.findLast((sibling) => !goes(sibling) && isOnly(editedStep(sibling, this.#edits)));
    const between = others
      .slice(previous ? others.indexOf(previous) + 1 : 0)
      .filter(goes)
      .map((e) => this.#layout.removal(e));
    const gap = start - (previous?.end ?? parent.openEnd) - between.reduce((sum, r) => sum + r.end - r.start, 0);
    const removed = {
      from: pathOf(parent, this.#edits),
      after: previous ? pathOf(previous, this.#edits) : null,
      gap: Math.max(0, gap),
      text: this.#originally(element, start, end),
    };
    // What an earlier run took out behind this one is now behind the same neighbour.
    const path = pathOf(element, this.#edits);
    const follows = this.#removed.findIndex((each) => each.after === path && each.from === removed.from);
    this.#removed.splice(follows < 0 ? this.#removed.length : follows, 0, removed);
    for (const each of this.#removed) {
      if (each.after !== path || each.from !== removed.from) continue;
      each.after = removed.after;
      each.gap = Math.max(0, removed.gap + each.gap - (end - element.end));
    }
  }

  /** The text of an element, with what stands before it, as it was before earlier runs; their notes on it go. */
  #originally(element: XmlElement, start: number, end: number): string {
    const entry = this.#entries.get(element);
    if (!entry) return this.#document.text.slice(start, end);
    const cuts = new Cuts(this.#document);
    for (const child of entry.kept) cuts.takeOut(child);
    for (const [key, { was }] of entry.attributes) {
      const [child = '', name = ''] = key.split(/\.(.*)/s);
      const target = child === 'self' ? element : element.child(child);
      if (target) cuts.setRaw(target, name, was);
    }
    cuts.close(element, entry.tail);
    this.#entries.delete(element);
    return cuts.slice(start, end);
  }

  #noteReplaced(element: XmlElement, replacement: NewElement): void {
    if (this.#isOurs(element)) return;
    const path = pathOf(element, this.#edits);
    const known = this.#replaced.findIndex((each) => each.element === path);
    const was = this.#replaced[known]?.was ?? this.#document.text.slice(element.start, element.end);
    const entry = { element: path, was, now: replacement.text ?? '' };
    if (known < 0) this.#replaced.push(entry);
    else this.#replaced[known] = entry;
  }

  /** Attributes of a child that has nothing to tell it from its like are told of with its parent: `address.bus`. */
  #noteAttributes(element: XmlElement, values: ElementEdits['attributes']): void {
    if (values.size === 0 || this.#isOurs(element)) return;
    const { parent } = element;
    const withParent = parent?.parent?.parent !== undefined && !stepOf(element).includes('[');
    const withAddress = parent !== undefined && element.name === 'address';
    const entry = this.#entry((withParent || withAddress) && parent ? parent : element);
    const prefix = withParent || withAddress ? element.name : 'self';
    for (const [name, value] of values) {
      const key = `${prefix}.${name}`;
      const written = element.attributes.find((a) => a.name === name);
      if (written && value === undefined) {
        const known = entry.attributes.get(key);
        entry.attributes.delete(key);
        if (!known || known.was !== null) entry.lost ??= this.#lostText(element, written, known?.was ?? undefined);
        continue;
      }
      const raw = written ? this.#document.text.slice(written.valueStart, written.valueEnd) : null;
      const was = entry.attributes.has(key) ? (entry.attributes.get(key)?.was ?? null) : raw;
      const now = value ?? null;
      if (was === now) entry.attributes.delete(key);
      else entry.attributes.set(key, { was, now });
    }
  }

  /** What is written down of an attribute that goes. */
  #lostText(element: XmlElement, { name, start, valueStart, valueEnd, end }: XmlAttribute, was?: string): string {
    const { text } = this.#document;
    const before = element.attributes[element.attributes.findIndex((a) => a.name === name) - 1];
    const from = before?.end ?? element.start + 1 + element.name.length;
    const raw = was ?? text.slice(valueStart, valueEnd);
    return `${element.name}/${before?.name ?? ''}${text.slice(from, start)}${text.slice(start, valueStart)}${raw}${text.slice(valueEnd, end)}`;
  }

  /** The end of an element that gets its first children from us, or its first line end, where revert could not tell. */
  #noteTail(element: XmlElement): void {
    if (this.#isOurs(element)) return;
    const { text } = this.#document;
    const tagEnd = element.attributes.at(-1)?.end ?? element.start + 1 + element.name.length;
    const contentEnd = this.#layout.contentEnd(element);
    if (element.selfClosing) {
      const tail = text.slice(tagEnd, element.end);
      if (tail !== '/>') this.#entry(element).tail = tail;
    } else if (contentEnd === element.openEnd) {
      this.#entry(element).tail = text.slice(tagEnd, element.end);
    } else if (!text.slice(contentEnd, element.closeStart).includes('\n')) {
      this.#entry(element).tail = text.slice(contentEnd, element.end);
    }
  }
}

/** Controllers before IOMMUs; those of one name stay in their order. */
function byName(a: string, b: string): number {
  const [x = '', y = ''] = [a.split('[')[0], b.split('[')[0]];
  return x < y ? -1 : x > y ? 1 : 0;
}
