import { describe, expect, it } from 'vitest';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';

describe('an attribute', () => {
  it.each<[title: string, text: string, edits: (editor: XmlEditor, a: XmlElement) => void, result: string]>([
    [
      'keeps its position and its quotes when its value changes',
      `<a b="1"  c='2'/>`,
      (e, a) => e.setAttribute(a, 'b', '3'),
      `<a b="3"  c='2'/>`,
    ],
    ['with an empty value gets a value', `<a b=''/>`, (e, a) => e.setAttribute(a, 'b', '3'), `<a b='3'/>`],
    ['gets an empty value', `<a b='3'/>`, (e, a) => e.setAttribute(a, 'b', ''), `<a b=''/>`],
    [
      'keeps its spelling if the new value is the same',
      `<a b='&#65;'/>`,
      (e, a) => e.setAttribute(a, 'b', 'A'),
      `<a b='&#65;'/>`,
    ],
    [
      'gets the last of several values',
      `<a b='1'/>`,
      (e, a) => {
        e.setAttribute(a, 'b', '2');
        e.setAttribute(a, 'b', '3');
      },
      `<a b='3'/>`,
    ],
    [
      "is added last if it is new, with its neighbour's quotes",
      `<a b="1" ><c d='e' f='g' h='i'/></a>`,
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a b="1" x="2" ><c d='e' f='g' h='i'/></a>`,
    ],
    [
      'without a neighbour gets the quotes of the document',
      `<a><b c="d"/></a>`,
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a x="2"><b c="d"/></a>`,
    ],
    [
      "gets libvirt's quotes in a document without attributes",
      '<a />',
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a x='2' />`,
    ],
    [
      'is added in the order of the calls',
      '<a/>',
      (e, a) => {
        e.setAttribute(a, 'y', '1');
        e.setAttribute(a, 'x', '2');
      },
      `<a y='1' x='2'/>`,
    ],
    [
      'is removed with the white space before it',
      `<a b='1'\n   c='2' d='3'/>`,
      (e, a) => e.setAttribute(a, 'c', undefined),
      `<a b='1' d='3'/>`,
    ],
    [
      'is removed with all others',
      `<a b='1' c='2'  ></a>`,
      (e, a) => {
        e.setAttribute(a, 'b', undefined);
        e.setAttribute(a, 'c', undefined);
      },
      '<a  ></a>',
    ],
    [
      'is removed while another is added',
      `<a b='1' c='2'/>`,
      (e, a) => {
        e.setAttribute(a, 'c', undefined);
        e.setAttribute(a, 'd', '3');
      },
      `<a b='1' d='3'/>`,
    ],
    ['that does not exist is not removed', '<a/>', (e, a) => e.setAttribute(a, 'b', undefined), '<a/>'],
    [
      'gets characters escaped that XML does not allow between its quotes',
      `<a b="" c=''/>`,
      (e, a) => {
        e.setAttribute(a, 'b', `<'">&\t\n`);
        e.setAttribute(a, 'c', `'"`);
      },
      `<a b="&lt;'&quot;&gt;&amp;&#9;&#10;" c='&apos;"'/>`,
    ],
  ])('%s', (_, text, edits, result) => {
    const document = parseXml(text);
    const editor = new XmlEditor(document);
    edits(editor, document.root);
    expect(editor.toString()).toBe(result);
    if (result === text) expect(editor.textEdits()).toEqual([]);
  });
});
