import { describe, expect, it } from 'vitest';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import type { XmlEditor } from '../../src/xml/editor.js';

describe('an attribute', () => {
  it.each<[title: string, text: string, edits: (editor: XmlEditor, a: XmlElement) => void, result: string]>([
    [
      'a value keeps its place and its quotes',
      `<a b="1"  c='2'/>`,
      (e, a) => e.setAttribute(a, 'b', '3'),
      `<a b="3"  c='2'/>`,
    ],
    ['an empty value is filled', `<a b=''/>`, (e, a) => e.setAttribute(a, 'b', '3'), `<a b='3'/>`],
    ['a value is emptied', `<a b='3'/>`, (e, a) => e.setAttribute(a, 'b', ''), `<a b=''/>`],
    [
      'the same value, written otherwise, is left as it is written',
      `<a b='&#65;'/>`,
      (e, a) => e.setAttribute(a, 'b', 'A'),
      `<a b='&#65;'/>`,
    ],
    [
      'the last value counts',
      `<a b='1'/>`,
      (e, a) => {
        e.setAttribute(a, 'b', '2');
        e.setAttribute(a, 'b', '3');
      },
      `<a b='3'/>`,
    ],
    [
      "a new one goes last, in its neighbour's quotes",
      `<a b="1" ><c d='e' f='g' h='i'/></a>`,
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a b="1" x="2" ><c d='e' f='g' h='i'/></a>`,
    ],
    [
      'a new one without a neighbour takes the quotes of the document',
      `<a><b c="d"/></a>`,
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a x="2"><b c="d"/></a>`,
    ],
    [
      "a new one in a document without any takes libvirt's quotes",
      '<a />',
      (e, a) => e.setAttribute(a, 'x', '2'),
      `<a x='2' />`,
    ],
    [
      'several new ones stand in the order of the calls',
      '<a/>',
      (e, a) => {
        e.setAttribute(a, 'y', '1');
        e.setAttribute(a, 'x', '2');
      },
      `<a y='1' x='2'/>`,
    ],
    [
      'one goes with the white space before it',
      `<a b='1'\n   c='2' d='3'/>`,
      (e, a) => e.removeAttribute(a, 'c'),
      `<a b='1' d='3'/>`,
    ],
    [
      'all go',
      `<a b='1' c='2'  ></a>`,
      (e, a) => {
        e.removeAttribute(a, 'b');
        e.removeAttribute(a, 'c');
      },
      '<a  ></a>',
    ],
    [
      'one goes and another comes',
      `<a b='1' c='2'/>`,
      (e, a) => {
        e.removeAttribute(a, 'c');
        e.setAttribute(a, 'd', '3');
      },
      `<a b='1' d='3'/>`,
    ],
    ['one that is not there cannot go', '<a/>', (e, a) => e.removeAttribute(a, 'b'), '<a/>'],
    [
      'characters that XML does not allow between such quotes are escaped',
      `<a b="" c=''/>`,
      (e, a) => {
        e.setAttribute(a, 'b', `<'">&\t\n`);
        e.setAttribute(a, 'c', `'"`);
      },
      `<a b="&lt;'&quot;&gt;&amp;&#9;&#10;" c='&apos;"'/>`,
    ],
  ])('%s', (_, text, edits, result) => {
    const document = parseXml(text);
    const editor = document.edit();
    edits(editor, document.root);
    expect(editor.toString()).toBe(result);
    if (result === text) expect(editor.textEdits()).toEqual([]);
  });
});
