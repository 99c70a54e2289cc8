import { describe, expect, it } from 'vitest';
import { parseEdited, parseXml } from '../../src/xml/document.js';

describe('an element', () => {
  it('returns attributes decoded and normalised', () => {
    const { root } = parseXml(`<a b='&lt;&#10;&quot;' c = "\t\r\n'&#x1F600;" />`);
    expect(root.attribute('b')).toBe('<\n"');
    expect(root.attribute('c')).toBe(`  '\u{1F600}`);
    expect(root.attribute('d')).toBeUndefined();
    expect(root.attributes.map(({ name }) => name)).toEqual(['b', 'c']);
  });

  it('returns its own character data, without comments and without that of its descendants', () => {
    const { root } = parseXml('<a>x<!-- < --> &amp;\r\n<b>no</b><![CDATA[<&amp;\r\n]]><?p ]]?>&#13;<c/>y</a>');
    expect(root.text).toBe('x &\n<&amp;\n\ry');
  });

  it('finds children by name that are in no namespace', () => {
    const { root } = parseXml('<a xmlns:p="urn:p"><b xmlns="urn:q" n="0"/><p:b n="1"/><b n="2"/><c/><b n="3"/></a>');
    expect(root.child('b')?.attribute('n')).toBe('2');
    expect(root.childrenNamed('b').map((b) => b.attribute('n'))).toEqual(['2', '3']);
    expect(root.child('p:b')).toBeUndefined();
    expect(root.child('d')).toBeUndefined();
  });

  it('knows its names and its namespace', () => {
    const [element] = parseXml('<a xmlns:p="urn:&#112;"><p:b/></a>').root.children;
    expect(element).toMatchObject({ name: 'p:b', prefix: 'p', localName: 'b', namespace: 'urn:p', selfClosing: true });
    expect(element?.parent?.parent).toBeUndefined();
  });

  it('ignores a declaration of the prefix xml or xmlns, as libxml2 does', () => {
    const { children } = parseXml('<a xmlns:xml="urn:p" xmlns:xmlns="urn:q"><xml:b/><xmlns:b/></a>').root;
    const [xml, xmlns] = children.map(({ namespace }) => namespace);
    expect(xml).toBe('http://www.w3.org/XML/1998/namespace');
    expect(xmlns).not.toBe('urn:q');
  });

  it('ignores an empty namespace of a prefix, but accepts an empty default namespace', () => {
    const { children } = parseXml('<a xmlns="urn:a" xmlns:p="urn:p"><p:b xmlns:p=""/><c xmlns=""/></a>').root;
    expect(children.map(({ namespace }) => namespace)).toEqual(['urn:p', '']);
  });

  it('ignores other prefixes for these two namespaces, as libxml2 does', () => {
    for (const reserved of ['http://www.w3.org/XML/1998/namespace', 'http://www.w3.org/2000/xmlns/']) {
      const [element] = parseXml(`<a xmlns:p="urn:p"><p:b xmlns:p="${reserved}"/></a>`).root.children;
      expect(element?.namespace).toBe('urn:p');
    }
  });

  it('knows its offsets after CRLF and characters outside the BMP', () => {
    const text = '\uFEFF<a>\r\n\u{1F600}\r\n<b c="d">\r\n</b ></a>';
    const { root } = parseXml(text);
    const [b] = root.children;
    expect(b && text.slice(b.start, b.openEnd)).toBe('<b c="d">');
    expect(b && text.slice(b.closeStart, b.end)).toBe('</b >');
  });
});

it('location counts lines and columns from 1, without the byte order mark', () => {
  const document = parseXml('\uFEFF<a>\r\n  <b/>\n</a>');
  expect(document.location(document.root.start)).toEqual({ line: 1, column: 1 });
  expect(document.location(document.root.child('b')?.start ?? 0)).toEqual({ line: 2, column: 3 });
  expect(document.location(document.text.length)).toEqual({ line: 3, column: 5 });
});

it('location finds the line and column of any offset of a long text, in any order', () => {
  const text = `\uFEFF<a><!--${'\n'.repeat(1500)}${'x'.repeat(3000)}\n${'y\r\n'.repeat(1000)}--></a>`;
  const document = parseXml(text);
  const offsets = Array.from({ length: 80 }, (_, i) => (i * 7919) % text.length);
  for (const offset of [...offsets, 1023, 1024, 1025, text.length]) {
    const before = text.slice(1, Math.max(1, offset)).split('\n');
    expect(document.location(offset), `offset ${offset}`).toEqual({
      line: before.length,
      column: (before.at(-1) ?? '').length + 1,
    });
  }
});

it('a document knows the offsets of its elements and attributes after an edit before them', () => {
  const before = parseXml(`<a><b c='1'/><d e='2'><f g = "3" h=''/></d><i/></a>`);
  const { start, end } = before.root.child('b') ?? { start: 0, end: 0 };
  for (const text of ['', "<b c='1234'/>"]) {
    const after = parseEdited(before, [{ start, end, text }]);
    const f = after.root.child('d')?.child('f');
    expect(f?.attributes).toEqual(parseXml(after.text).root.child('d')?.child('f')?.attributes);
    expect(f?.attributes.map((a) => after.text.slice(a.start, a.end))).toEqual(['g = "3"', "h=''"]);
    expect(f?.attributes.map((a) => after.text.slice(a.valueStart, a.valueEnd))).toEqual(['3', '']);
  }
});
