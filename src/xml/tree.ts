import { XMLParser } from 'fast-xml-parser';
import { ElementNode } from './element.js';
import { type GuardedText, MAX_DEPTH } from './guard.js';

/** fast-xml-parser gives the nesting of the elements and their offsets; entities, values and attributes stay text. */
export const PARSER_OPTIONS = {
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: true,
  processEntities: false,
  parseTagValue: false,
  trimValues: false,
  jPath: false,
  maxNestedTags: MAX_DEPTH,
};

/** A node of fast-xml-parser: one key with its content. The key is the name of an element; text has no metadata. */
interface ParsedNode {
  readonly [name: string]: readonly ParsedNode[];
}

const METADATA = XMLParser.getMetaDataSymbol() as unknown as keyof ParsedNode;

const parser = new XMLParser(PARSER_OPTIONS);

/**
 * Builds the elements of a text that passed the guard, nested as fast-xml-parser finds them.
 * @throws Error if fast-xml-parser misread the text, which is a bug
 */
export function buildTree(text: string, { readable, elements }: GuardedText): ElementNode {
  let found = 0;
  const build = (siblings: readonly ParsedNode[], parent: ElementNode | undefined): readonly ElementNode[] => {
    const built: ElementNode[] = [];
    for (const node of siblings) {
      const metadata = node[METADATA] as { startIndex: number; endIndex: number } | undefined;
      if (metadata === undefined) continue;
      const element = new ElementNode(text, metadata.startIndex, metadata.endIndex, parent);
      for (const name in node) element.children = build(node[name] ?? [], element);
      built.push(element);
      found++;
    }
    return built;
  };
  const [root] = build(parser.parse(readable), undefined);
  if (root === undefined || found !== elements) {
    throw new Error(`fast-xml-parser found ${found} of ${elements} elements`);
  }
  return root;
}
