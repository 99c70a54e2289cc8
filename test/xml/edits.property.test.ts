import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseEdited, parseXml, type XmlElement } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';
import type { NewElement } from '../../src/xml/print.js';
import { canonical, complaint } from './libxml2.js';
import { elementsOf, type Model, type ModelElement, type ModelNode, print, tidyModels, wildModels } from './model.js';

/** An edit of the nth element. */
type Edit = { readonly nth: number } & (
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'set nth'; readonly which: number; readonly value: string | undefined }
  | { readonly kind: 'append' | 'before' | 'after' | 'replace'; readonly element: NewElement }
  | { readonly kind: 'remove' }
);

const value = fc
  .array(
    fc.oneof(
      fc.constantFrom("'", '"', '&', '<', '>', '\t', '\n', '\r', ' ', ']]>', '&amp;', 'é'),
      fc.string({ maxLength: 2 }),
    ),
    {
      maxLength: 4,
    },
  )
  .map((parts) => parts.join('').replace(/[^\t\n\r\x20-\uFFFD]/g, ''));
const name = fc.constantFrom('driver', 'address', 'bus', 'new', 'a');
const { newElement } = fc.letrec<{ newElement: NewElement }>((tie) => ({
  newElement: fc.record(
    {
      name: fc.constantFrom('driver', 'address', 'controller', 'model'),
      attributes: fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 2 }),
      children: fc.array(tie('newElement'), { maxLength: 2, depthIdentifier: 'new' }),
      text: fc.oneof({ depthIdentifier: 'new' }, fc.constant(''), value),
    },
    { requiredKeys: ['name'] },
  ),
}));
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ nth: fc.nat(30), kind: fc.constant('set' as const), name, value }),
  fc.record({
    nth: fc.nat(30),
    kind: fc.constant('set nth' as const),
    which: fc.nat(3),
    value: fc.option(value, { nil: undefined }),
  }),
  fc.record({
    nth: fc.nat(30),
    kind: fc.constantFrom('append' as const, 'before' as const, 'after' as const, 'replace' as const),
    element: newElement,
  }),
  fc.record({ nth: fc.nat(30), kind: fc.constant('remove' as const) }),
);

const isDeclaration = (attribute: string) => /^xmlns(:|$)/.test(attribute);

/** Requests an edit from the editor. Returns false if the element has no such attribute or cannot be removed. */
function ask(editor: XmlEditor, elements: readonly XmlElement[], edit: Edit): boolean {
  const element = elements[edit.nth % elements.length];
  if (element === undefined) return false;
  const isRoot = element.parent === undefined;
  switch (edit.kind) {
    case 'set':
      editor.setAttribute(element, edit.name, edit.value);
      return true;
    case 'set nth': {
      const attribute = element.attributes[edit.which];
      if (attribute === undefined || isDeclaration(attribute.name)) return false;
      if (edit.value === undefined) editor.setAttribute(element, attribute.name, undefined);
      else editor.setAttribute(element, attribute.name, edit.value);
      return true;
    }
    case 'append':
      editor.append(element, edit.element);
      return true;
    case 'replace':
      editor.replace(element, edit.element);
      return true;
    case 'before':
      if (!isRoot) editor.insertBefore(element, edit.element);
      return !isRoot;
    case 'after':
      if (!isRoot) editor.insertAfter(element, edit.element);
      return !isRoot;
    case 'remove':
      if (!isRoot) editor.remove(element);
      return !isRoot;
  }
}

const escaped = (text: string) => text.replace(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);

function modelOf({ name: tag, attributes = [], children = [], text = '' }: NewElement): ModelElement {
  return {
    name: tag,
    attributes: attributes.map(([key, raw]) => ({ name: key, raw: escaped(raw), quote: '"', lead: ' ', equals: '=' })),
    children: [escaped(text), ...children.map(modelOf)],
    selfClosing: false,
    tagSpace: '',
    endSpace: '',
  };
}

/** The same edits on the model: one after the other, on a tree. */
class EditedModel {
  private readonly elements: ModelElement[];
  private readonly parents = new Map<ModelElement, ModelElement>();
  /** The replacement of an element; undefined if it was removed. */
  private readonly instead = new Map<ModelElement, ModelElement | undefined>();
  private readonly addedAfter = new Map<ModelElement, number>();
  /** The names of the attributes before the first edit. An edit refers to an attribute by its position among them. */
  private readonly originalNames = new Map<ModelElement, string[]>();

  constructor(private readonly model: Model) {
    this.elements = elementsOf(model.root);
    for (const element of this.elements) {
      this.originalNames.set(
        element,
        element.attributes.map((attribute) => attribute.name),
      );
      for (const child of element.children) if (typeof child !== 'string') this.parents.set(child, element);
    }
  }

  apply(edit: Edit): void {
    const element = this.elements[edit.nth % this.elements.length];
    if (element === undefined) throw new Error('a model has a root');
    const siblings = this.parents.get(element)?.children ?? [];
    const index = siblings.indexOf(element);
    switch (edit.kind) {
      case 'set':
        setModelAttribute(element, edit.name, edit.value);
        return;
      case 'set nth':
        setModelAttribute(element, this.nameOf(element, edit.which), edit.value);
        return;
      case 'append':
        element.children.push(modelOf(edit.element));
        return;
      case 'replace':
        this.instead.set(element, modelOf(edit.element));
        return;
      case 'before':
        siblings.splice(index, 0, modelOf(edit.element));
        return;
      case 'after': {
        const added = (this.addedAfter.get(element) ?? 0) + 1;
        this.addedAfter.set(element, added);
        siblings.splice(index + added, 0, modelOf(edit.element));
        return;
      }
      case 'remove':
        this.instead.set(element, undefined);
        return;
    }
  }

  print(): string {
    const [root] = this.settled(this.model.root);
    return print({ ...this.model, root: root ?? this.model.root });
  }

  private nameOf(element: ModelElement, which: number): string {
    return this.originalNames.get(element)?.[which] ?? '';
  }

  private settled(element: ModelElement): ModelElement[] {
    if (this.instead.has(element)) {
      const replacement = this.instead.get(element);
      return replacement === undefined ? [] : [replacement];
    }
    const children = element.children.flatMap((child): ModelNode[] =>
      typeof child === 'string' ? [child] : this.settled(child),
    );
    return [{ ...element, children }];
  }
}

function setModelAttribute(element: ModelElement, key: string, to: string | undefined): void {
  const index = element.attributes.findIndex((attribute) => attribute.name === key);
  if (index !== -1) element.attributes.splice(index, 1);
  if (to !== undefined) element.attributes.push({ name: key, raw: escaped(to), quote: '"', lead: ' ', equals: '=' });
}

/** Canonical XML without the text that is white space only: layout. */
function skeleton(text: string): string {
  return canonical(text).replace(/>(?:\s|&#xD;)+</g, '><');
}

function comments(text: string): string[] {
  return text.replace(/<!\[CDATA\[.*?\]\]>|<\?.*?\?>/gs, '').match(/<!--.*?-->/gs) ?? [];
}

function elementsIn(element: XmlElement): XmlElement[] {
  return [element, ...element.children.flatMap(elementsIn)];
}

/** Returns the properties of an element and its offsets. */
function content(element: XmlElement): object {
  const { parent: _, children, ...own } = element;
  return { ...own, text: element.text, children: children.map(content) };
}

/** The elements below this one that have another parent than the element that lists them. */
function parents(element: XmlElement): XmlElement[] {
  return element.children.flatMap((child) => [...(child.parent === element ? [] : [child]), ...parents(child)]);
}

it.each([
  ['laid out in lines', tidyModels],
  ['with white space at random positions', wildModels],
])('edits of a document %s have the same result as edits of its tree', { timeout: 60_000 }, (_, models) => {
  fc.assert(
    fc.property(models, fc.array(edit, { minLength: 1, maxLength: 6 }), (model, edits) => {
      const text = print(model);
      const document = parseXml(text);
      const editor = new XmlEditor(document);
      const elements = elementsIn(document.root);
      const edited = new EditedModel(model);
      for (const one of edits) if (ask(editor, elements, one)) edited.apply(one);
      const result = editor.toString();
      expect(complaint(result)).toBeUndefined();
      expect(skeleton(result)).toBe(skeleton(edited.print()));
      if (!edits.some(({ kind }) => kind === 'remove' || kind === 'replace'))
        expect(comments(result)).toEqual(comments(text));
      // The edited text can be parsed and edited again.
      expect(new XmlEditor(parseXml(result)).toString()).toBe(result);
      const again = parseEdited(document, editor.textEdits());
      expect(again.text).toBe(result);
      expect(content(again.root)).toEqual(content(parseXml(result).root));
      expect(parents(again.root)).toEqual([]);
    }),
    { numRuns: 1500 },
  );
});

it('an insertion changes no existing line in a document laid out in lines', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(tidyModels, fc.nat(30), newElement, fc.boolean(), (model, nth, added, before) => {
      const text = print(model);
      const document = parseXml(text);
      const [, ...inner] = elementsIn(document.root);
      const reference = inner[nth % inner.length];
      fc.pre(reference !== undefined);
      const startsLine = /\n[ \t]*$/.test(text.slice(0, reference.start));
      fc.pre(startsLine && !/\S/.test(reference.parent?.text ?? ''));
      // Skip an element if anything other than comments follows it on its line.
      fc.pre(/^(?:[ \t]*<!--[^-]*-->)*[ \t]*(?:\r?\n|$)/.test(text.slice(reference.end)));
      const editor = new XmlEditor(document);
      if (before) editor.insertBefore(reference, added);
      else editor.insertAfter(reference, added);
      const remaining = editor.toString().split('\n');
      for (const line of text.split('\n')) {
        const at = remaining.findIndex((other) => other === line || other.trimEnd() === line.trimEnd());
        expect(at, `the line ${JSON.stringify(line)}`).not.toBe(-1);
        remaining.splice(0, at + 1);
      }
    }),
    { numRuns: 500 },
  );
});
