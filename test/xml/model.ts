import fc from 'fast-check';

/** A generated document, independent of the code under test. Strings are raw XML text. */
export interface Model {
  readonly head: string;
  readonly root: ModelElement;
  readonly tail: string;
}

export interface ModelElement {
  readonly name: string;
  readonly attributes: ModelAttribute[];
  readonly children: ModelNode[];
  readonly selfClosing: boolean;
  /** White space before the > of its start tag and of its end tag. */
  readonly tagSpace: string;
  readonly endSpace: string;
}

export interface ModelAttribute {
  readonly name: string;
  raw: string;
  readonly quote: string;
  /** White space before the attribute. */
  readonly lead: string;
  readonly equals: string;
}

/** An element, or the raw text of character data, a comment, a CDATA section or a processing instruction. */
export type ModelNode = ModelElement | string;

/** Returns the text of a model. */
export function print({ head, root, tail }: Model): string {
  return head + printElement(root) + tail;
}

export function printElement(element: ModelElement): string {
  const { name, attributes, children, tagSpace, endSpace } = element;
  const tag = attributes.map((a) => `${a.lead}${a.name}${a.equals}${a.quote}${a.raw}${a.quote}`).join('');
  if (element.selfClosing && children.length === 0) return `<${name}${tag}${tagSpace}/>`;
  const content = children.map((child) => (typeof child === 'string' ? child : printElement(child))).join('');
  return `<${name}${tag}${tagSpace}>${content}</${name}${endSpace}>`;
}

/** The elements of a model in document order. */
export function elementsOf(element: ModelElement): ModelElement[] {
  return [element, ...element.children.flatMap((child) => (typeof child === 'string' ? [] : elementsOf(child)))];
}

const space = fc.constantFrom(' ', '  ', '\n', '\t', '\r\n', '\n    ');
const optionalSpace = fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: space });
const localName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'devices', 'address', 'host-dev', 'x.1', '_') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('é', '名', '\u{10400}x', '__proto__', 'constructor', 'toString', 'prototype'),
  },
);
const word = fc.oneof(
  fc.constantFrom(
    'a',
    '0x00',
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\r',
    '\t',
    'é',
    '\u{1F600}',
    '\u2028',
    '>',
    '/>',
    ']]',
    '=',
    '-',
    '?>',
  ),
  fc.constantFrom(
    '&amp;',
    '&lt;',
    '&gt;',
    '&quot;',
    '&apos;',
    '&#10;',
    '&#13;',
    '&#x9;',
    '&#x1F600;',
    '&#0065;',
    '-->',
  ),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const legal = (text: string) => text.replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '');
const words = fc.array(word, { maxLength: 5 }).map((parts) => parts.map(escapeStray).join(''));
/** Text that contains no ]]>, also together with the text that follows. */
const text = words.map((raw) => raw.replace(/\]+>/g, ']').replace(/\]$/, '] '));
const comment = words.map((raw) => `<!--${legal(raw).replace(/-/g, '')}-->`);
const section = words.map((raw) => `<![CDATA[${raw.replaceAll(']]>', ']]')}]]>`);
const instruction = fc
  .tuple(fc.constantFrom('p', 'php', 'xml-stylesheet', 'é'), words, fc.constantFrom('', ` it's`, ' "'))
  .map(([target, raw, quote]) => `<?${target} ${raw.replaceAll('?>', '')}${quote}?>`);
const blank = fc.constantFrom(' ', '\n', '\n  ', '\r\n', '\r\n\t', '\n\n    ');
const misc = fc.array(fc.oneof(blank, comment, instruction), { maxLength: 3 }).map((parts) => parts.join(''));

function escapeStray(raw: string): string {
  return /^&[#\w]+;$/.test(raw) ? raw : legal(raw).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** An element whose prefixes are not yet chosen: they depend on the declarations around it. */
interface Draft {
  readonly local: string;
  readonly prefix: number;
  readonly declares: readonly (readonly [prefix: string, namespace: string])[];
  readonly attributes: readonly (Omit<ModelAttribute, 'name'> & { readonly local: string; readonly prefix: number })[];
  readonly content: readonly (Draft | string)[];
  readonly selfClosing: boolean;
  readonly tagSpace: string;
  readonly endSpace: string;
}

const quote = fc.constantFrom("'", '"');
const attribute = fc
  .record({
    local: localName,
    prefix: fc.nat(5),
    raw: words,
    quote,
    lead: space,
    equals: fc.constantFrom('=', '=', '=', ' = ', '\n='),
  })
  .map((a) => ({ ...a, raw: a.raw.replaceAll(a.quote, a.quote === '"' ? '&quot;' : '&apos;') }));
const declaration = fc.tuple(
  fc.constantFrom('p', 'q', 'qemu'),
  fc.constantFrom('urn:one', 'http://libvirt.org/schemas/x/1.0', 'urn:two'),
);

const { element } = fc.letrec<{ element: Draft; node: Draft | string }>((tie) => ({
  element: fc.record({
    local: localName,
    prefix: fc.nat(8),
    declares: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.uniqueArray(declaration, { selector: ([prefix]) => prefix, maxLength: 2 }) },
      { weight: 1, arbitrary: fc.constantFrom([['', 'urn:default'] as const], [['', ''] as const]) },
    ),
    attributes: fc.uniqueArray(attribute, { selector: ({ local }) => local, maxLength: 4 }),
    content: fc.array(tie('node'), { maxLength: 5, depthIdentifier: 'xml' }),
    selfClosing: fc.boolean(),
    tagSpace: optionalSpace,
    endSpace: optionalSpace,
  }),
  node: fc.oneof(
    { depthSize: 'small', depthIdentifier: 'xml' },
    comment,
    blank,
    { weight: 4, arbitrary: tie('element') },
    text,
    section,
    instruction,
  ),
}));

const head = fc
  .tuple(
    fc.constantFrom('', '', '\uFEFF'),
    fc.constantFrom(
      '',
      '',
      "<?xml version='1.0'?>",
      '<?xml version="1.0" encoding="UTF-8"?>',
      "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>",
      '<?xml version = \'1.1\'\n standalone\t= "no"?>',
    ),
    misc,
  )
  .map((parts) => parts.join(''));

/** Arbitrary documents with white space at random positions. */
export const wildModels: fc.Arbitrary<Model> = fc.record({ head, root: element, tail: misc }).map(settle);

/** Documents laid out in lines, as people and libvirt write them, with text in some of the elements. */
export const tidyModels: fc.Arbitrary<Model> = fc
  .record({
    head,
    root: element,
    tail: misc,
    lineEnd: fc.constantFrom('\n', '\r\n'),
    unit: fc.constantFrom('  ', '\t', '    ', ''),
  })
  .map(({ lineEnd, unit, ...draft }) => {
    const model = settle(draft);
    layOut(model.root, lineEnd, unit);
    return model;
  });

function settle(draft: { head: string; root: Draft; tail: string }): Model {
  return { head: draft.head, root: choosePrefixes(draft.root, []), tail: draft.tail };
}

function choosePrefixes(draft: Draft, outer: readonly string[]): ModelElement {
  const { declares, content, selfClosing, tagSpace, endSpace } = draft;
  const scope = [...new Set([...outer, ...declares.map(([prefix]) => prefix).filter((prefix) => prefix !== '')])];
  const name = (local: string, choice: number) => {
    const prefix = scope[choice];
    return prefix === undefined ? local : `${prefix}:${local}`;
  };
  return {
    name: name(draft.local, draft.prefix),
    attributes: [
      ...declares.map(([prefix, namespace]) => ({
        name: prefix === '' ? 'xmlns' : `xmlns:${prefix}`,
        raw: namespace,
        quote: '"',
        lead: ' ',
        equals: '=',
      })),
      ...draft.attributes.map(({ local, prefix, ...rest }) => ({ ...rest, name: name(local, prefix) })),
    ],
    children: content.map((child) => (typeof child === 'string' ? child : choosePrefixes(child, scope))),
    selfClosing,
    tagSpace,
    endSpace,
  };
}

/** Puts each child on its own line if there is no text among them; a comment may stay on the line of the child before it. */
function layOut(element: ModelElement, lineEnd: string, unit: string, indent = ''): void {
  const { children } = element;
  for (const child of children) if (typeof child !== 'string') layOut(child, lineEnd, unit, indent + unit);
  const kept = children.filter((child) => typeof child !== 'string' || child.trim() !== '');
  const mixed = kept.some((child) => typeof child === 'string' && !/^<[!?][^[]/.test(child));
  if (mixed || kept.length === 0) return;
  const lines = kept.flatMap((child, index) =>
    typeof child === 'string' && index % 2 === 1 ? [' ', child] : [lineEnd + indent + unit, child],
  );
  children.splice(0, children.length, ...lines, lineEnd + indent);
}
