import { describe, expect, it } from 'vitest';
import { parseXml } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';
import { complaint } from './libxml2.js';
import { messageOf, refusal } from './refusal.js';

describe("libxml2's limits apply", () => {
  it.each<[title: string, text: string]>([
    ['elements at the maximum depth', '<a>'.repeat(256) + '</a>'.repeat(256)],
    ['a name of 50 000 bytes', `<${'a'.repeat(50_000)}/>`],
    ['a document of 10 000 000 bytes in two parts', `<a>${`<!--${'b'.repeat(5_000_000)}-->`.repeat(2)}</a>`],
  ])('up to %s', (_, text) => {
    expect(complaint(text), 'libxml2').toBeUndefined();
    expect(parseXml(text).text).toBe(text);
  });

  it.each<[title: string, text: string, message: string]>([
    [
      'elements nested too deeply',
      '<a>'.repeat(257) + '</a>'.repeat(257),
      '1:769: elements are nested deeper than 256, which libxml2 refuses',
    ],
    [
      'a name of 50 001 bytes',
      `<${'a'.repeat(50_001)}/>`,
      '1:2: a name of more than 50000 bytes, which libxml2 refuses',
    ],
  ])('for %s', (_, text, expected) => {
    expect(messageOf(text)).toBe(expected);
    expect(complaint(text), 'libxml2').toBeDefined();
  });

  it.each<[title: string, text: string, what: string]>([
    ['a value', `<a b="${'é'.repeat(5_000_000)}"/>`, '1:1: a tag'],
    ['white space in an end tag', `<a></a${' '.repeat(10_000_000)}>`, '1:4: a tag'],
    [
      'white space in the declaration',
      `<?xml version='1.0'${' '.repeat(10_000_000)}?><a/>`,
      '1:1: something before the root element',
    ],
    [
      'processing instructions after the root',
      `<a/>${'<?p q?>'.repeat(1_500_000)}`,
      '1:5: something after the root element',
    ],
    ['a CDATA section', `<a><![CDATA[${'b'.repeat(10_000_000)}]]></a>`, '1:13: a CDATA section'],
  ])('for %s of 10 000 000 bytes', (_, text, what) => {
    expect(messageOf(text)).toBe(`${what} of more than 9000000 bytes, which libxml2 refuses`);
    expect(complaint(text), 'libxml2').toBeDefined();
  });
});

describe('a large document is read and edited', () => {
  it.each<[title: string, content: string]>([
    ['a comment of 8.9 MB', `<b/><!--${'x'.repeat(8_900_000)}-->`],
    ['a comment of 8.9 MB on a line', `\n  <b/> <!--${'x'.repeat(8_900_000)}-->\n`],
    ['a text of 8.9 MB', `<b>${'x'.repeat(8_900_000)}</b>`],
    ['500 KB of white space in an attribute', `<b c='${' '.repeat(500_000)}'/>`],
    ['500 KB of white space between attributes', `<b c=''${'\t'.repeat(500_000)}d=''/>`],
    ['100 000 elements', '\n  <b/>'.repeat(100_000)],
    ['100 000 attributes', `<b ${Array.from({ length: 100_000 }, (_, i) => `c${i}=""`).join(' ')}/>`],
    ['100 000 processing instructions', `<b/>${'<?p "?>'.repeat(100_000)}`],
  ])('with %s', (_, content) => {
    const document = parseXml(`<a>${content}</a>`);
    const [first] = document.root.children;
    const editor = new XmlEditor(document);
    if (first !== undefined) editor.setAttribute(first, 'e', '1');
    editor.append(document.root, { name: 'f' });
    const { children } = parseXml(editor.toString()).root;
    expect(children.at(0)?.attribute('e')).toBe('1');
    expect(children.at(-1)?.name).toBe('f');
    expect(children).toHaveLength(document.root.children.length + 1);
  });
});

it('refuses more than a million elements', () => {
  expect(refusal(`<a>${'<b/>'.repeat(1_000_000)}</a>`)).toMatchObject({
    code: 'xml-too-large',
    message: 'the document has more than 1000000 elements',
  });
});
