import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';
import { complaint, plain, plainTree } from './libxml2.js';
import { print, tidyModels, wildModels } from './model.js';

const documents = fc.oneof(wildModels, tidyModels).map(print);

function descendants(element: XmlElement): XmlElement[] {
  return [element, ...element.children.flatMap(descendants)];
}

/** Every prefix and default namespace in scope around an element. */
function declarationsAround(element: XmlElement): string {
  const declared = new Map<string, string>();
  for (let at = element.parent; at !== undefined; at = at.parent) {
    for (const { name, value } of at.attributes) {
      if (/^xmlns(:|$)/.test(name) && !declared.has(name)) declared.set(name, value);
    }
  }
  return [...declared].map(([name, value]) => ` ${name}="${value}"`).join('');
}

describe('any well-formed document', { timeout: 60_000 }, () => {
  it('is accepted, by libxml2 too, and is reproduced byte for byte', () => {
    fc.assert(
      fc.property(documents, (text) => {
        expect(complaint(text)).toBeUndefined();
        const bytes = Buffer.from(text);
        const document = parseXml(bytes);
        expect(document.text).toBe(text);
        const editor = new XmlEditor(document);
        expect(editor.textEdits()).toEqual([]);
        expect(Buffer.from(editor.toString()).equals(bytes)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('has the elements, namespaces, attributes and text that libxml2 reads', () => {
    fc.assert(
      fc.property(documents, (text) => {
        expect(plain(parseXml(text).root)).toEqual(plainTree(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('has each element at its offsets', () => {
    fc.assert(
      fc.property(documents, (text) => {
        for (const element of descendants(parseXml(text).root)) {
          const { start, end, openEnd, closeStart, name, selfClosing } = element;
          const [again] = parseXml(`<w${declarationsAround(element)}>${text.slice(start, end)}</w>`).root.children;
          expect(again && plain(again)).toEqual(plain(element));
          expect(text.slice(start, openEnd)).toMatch(selfClosing ? /^<.*\/>$/s : /^<.*[^/]>$/s);
          expect(text.slice(closeStart, end).replace(/[ \t\r\n]/g, '')).toBe(selfClosing ? '' : `</${name}>`);
          for (const attribute of element.attributes) {
            const quote = text.charAt(attribute.valueEnd);
            expect(text.slice(attribute.start, attribute.end)).toMatch(/^.+=[ \t\r\n]*["'].*["']$/s);
            expect(text.slice(attribute.valueStart - 1, attribute.end)).toBe(
              quote + text.slice(attribute.valueStart, attribute.valueEnd) + quote,
            );
            expect(text.startsWith(attribute.name, attribute.start)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has the correct line and column for each offset', () => {
    fc.assert(
      fc.property(documents, fc.nat(), (text, anywhere) => {
        const offset = anywhere % (text.length + 1);
        const lines = text
          .replace(/^\uFEFF/, '')
          .slice(0, Math.max(0, offset - (text.startsWith('\uFEFF') ? 1 : 0)))
          .split('\n');
        expect(parseXml(text).location(offset)).toEqual({
          line: lines.length,
          column: (lines.at(-1)?.length ?? 0) + 1,
        });
      }),
      { numRuns: 300 },
    );
  });
});

const repository = new URL('../../', import.meta.url);
const samples = readdirSync(new URL('samples/domains/', repository)).map((name) => `samples/domains/${name}`);

it.each(['test/fixtures/domain-a.xml', ...samples])(
  'the parser reads %s as libxml2 does, and reproduces it',
  (path) => {
    const bytes = readFileSync(new URL(path, repository));
    const document = parseXml(bytes);
    expect(plain(document.root)).toEqual(plainTree(bytes.toString()));
    expect(Buffer.from(new XmlEditor(document).toString()).equals(bytes)).toBe(true);
  },
);
