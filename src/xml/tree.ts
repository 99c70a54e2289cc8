import { XMLParser } from 'fast-xml-parser';
import type { XmlElement } from './document.js';
import { ElementNode } from './element.js';
import { MAX_DEPTH, type Tag, type WellFormed } from './wellformed.js';

/** What is asked of fast-xml-parser: the order of the elements and their offsets; entities, values and attributes stay text. */
export const PARSER_OPTIONS = {
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  processEntities: false,
  parseTagValue: false,
  trimValues: false,
  jPath: false,
  maxNestedTags: MAX_DEPTH,
};

/** fast-xml-parser refuses elements of these names, lest somebody use its result as a prototype. */
const REFUSED_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

/** A node of fast-xml-parser's: one key, the element's name, with its content; a text node has no metadata. */
interface ParsedNode {
  readonly [name: string]: readonly ParsedNode[];
}

interface Metadata {
  readonly startIndex: number;
  readonly endIndex: number;
}

const METADATA = XMLParser.getMetaDataSymbol() as unknown as keyof ParsedNode;

const parser = new XMLParser(PARSER_OPTIONS);

/**
 * The elements of a well-formed text, as fast-xml-parser finds them.
 * @throws Error it found other ones than the check: a bug
 */
export function buildTree(text: string, { tags, instructions }: WellFormed): XmlElement {
  const nodes: readonly ParsedNode[] = parser.parse(readableText(text, tags, instructions));
  let next = 0;
  const wrap = (siblings: readonly ParsedNode[], parent: ElementNode | undefined): readonly ElementNode[] => {
    const elements: ElementNode[] = [];
    for (const node of siblings) {
      const metadata = node[METADATA] as Metadata | undefined;
      if (metadata === undefined) continue;
      const tag = tags[next++];
      if (tag === undefined || metadata.startIndex !== tag.start || metadata.endIndex !== tag.end) disagree(metadata);
      const element = new ElementNode(text, tag, parent);
      for (const name in node) element.children = wrap(node[name] ?? [], element);
      elements.push(element);
    }
    return elements;
  };
  const [root] = wrap(nodes, undefined);
  if (root === undefined || next !== tags.length) disagree(undefined);
  return root;
}

/** The elements of a well-formed text, as their tags enclose each other; the first of the tags is the root's. */
export function nestTags(text: string, tags: readonly Tag[]): XmlElement {
  let next = 0;
  const until = (end: number, parent: ElementNode | undefined): readonly ElementNode[] => {
    const elements: ElementNode[] = [];
    for (let tag = tags[next]; tag !== undefined && tag.start < end; tag = tags[next]) {
      next++;
      const element = new ElementNode(text, tag, parent);
      element.children = until(tag.end, element);
      elements.push(element);
    }
    return elements;
  };
  const [root] = until(text.length, undefined);
  if (root === undefined) throw new TypeError('a well-formed text has an element');
  return root;
}

/**
 * The text with what fast-xml-parser stumbles over painted out, at the same length: processing instructions (it takes a lone
 * quote in one for the start of a value) and the names that it refuses. The text itself where there is nothing of the kind.
 */
function readableText(text: string, tags: readonly Tag[], instructions: WellFormed['instructions']): string {
  const painted: { at: number; paint: string }[] = [];
  for (const { start, end } of instructions) painted.push({ at: start, paint: ' '.repeat(end - start) });
  for (const { name, start, closeStart, selfClosing } of tags) {
    if (!REFUSED_NAMES.has(name)) continue;
    const paint = 'x'.repeat(name.length);
    painted.push({ at: start + 1, paint });
    if (!selfClosing) painted.push({ at: closeStart + 2, paint });
  }
  if (painted.length === 0) return text;
  painted.sort((a, b) => a.at - b.at);
  let readable = '';
  let from = 0;
  for (const { at, paint } of painted) {
    readable += text.slice(from, at) + paint;
    from = at + paint.length;
  }
  return readable + text.slice(from);
}

function disagree(metadata: Metadata | undefined): never {
  const where = metadata === undefined ? 'at the end' : `at ${metadata.startIndex}–${metadata.endIndex}`;
  throw new Error(`fast-xml-parser and the check of well-formedness see different elements, ${where}`);
}
