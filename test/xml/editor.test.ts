import { describe, expect, it } from 'vitest';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';
import type { NewElement } from '../../src/xml/print.js';

const PORT: NewElement = {
  name: 'controller',
  attributes: [['type', 'pci']],
  children: [{ name: 'model', attributes: [['name', 'pcie-root-port']] }, { name: 'target' }],
};
const NEW: NewElement = { name: 'new' };

/** Returns the text after edits; `find` returns the first element of a name. */
function edited(text: string, edits: (editor: XmlEditor, find: (name: string) => XmlElement) => void): string {
  const document = parseXml(text);
  const editor = new XmlEditor(document);
  edits(editor, (name) => {
    const found = search(document.root, name);
    if (found === undefined) throw new Error(`no <${name}>`);
    return found;
  });
  return editor.toString();
}

function search(element: XmlElement, name: string): XmlElement | undefined {
  if (element.name === name) return element;
  for (const child of element.children) {
    const found = search(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe('a new child', () => {
  it('is added last, on its own lines, indented like its siblings', () => {
    const text = `<domain>\n\t<devices>\n\t\t<disk/>\n\t\t<!-- the end -->\n\t</devices>\n</domain>\n`;
    expect(edited(text, (editor, find) => editor.append(find('devices'), PORT))).toBe(
      `<domain>\n\t<devices>\n\t\t<disk/>\n\t\t<!-- the end -->\n\t\t<controller type='pci'>\n\t\t\t<model name='pcie-root-port'/>\n\t\t\t<target/>\n\t\t</controller>\n\t</devices>\n</domain>\n`,
    );
  });

  it.each([
    ['a self-closing element', '<a>\n    <b c="d" />\n</a>', '<a>\n    <b c="d">\n        <new/>\n    </b>\n</a>'],
    ['an empty element', '<a>\n    <b></b>\n</a>', '<a>\n    <b>\n        <new/>\n    </b>\n</a>'],
    [
      'an element with only white space',
      '<a>\n    <b>\n    </b>\n</a>',
      '<a>\n    <b>\n        <new/>\n    </b>\n</a>',
    ],
    [
      'an element that ends on the line of its last child',
      '<a>\n <b>\n  <c/></b>\n</a>',
      '<a>\n <b>\n  <c/>\n  <new/>\n </b>\n</a>',
    ],
    ['an element whose children share a line', '<a>\n <b><c/> <d/></b>\n</a>', '<a>\n <b><c/> <d/><new/></b>\n</a>'],
    ['an element with text', '<a>\n <b>text\n </b>\n</a>', '<a>\n <b>text\n <new/></b>\n</a>'],
    [
      'an element of a one-line document',
      '<?xml version="1.0"?>\n<a><b/></a>\n',
      '<?xml version="1.0"?>\n<a><b><new/></b></a>\n',
    ],
    [
      'an element of a document without indentation',
      '<a>\n<b>\n<c/>\n</b>\n</a>',
      '<a>\n<b>\n<c/>\n<new/>\n</b>\n</a>',
    ],
  ])('of %s', (_, text, result) => {
    expect(edited(text, (editor, find) => editor.append(find('b'), NEW))).toBe(result);
  });

  it('of the root is indented by two spaces if the document has no indentation', () => {
    expect(edited('<a>\n</a>', (editor, find) => editor.append(find('a'), PORT))).toBe(
      `<a>\n  <controller type='pci'>\n    <model name='pcie-root-port'/>\n    <target/>\n  </controller>\n</a>`,
    );
  });

  it('has the line ends of the document', () => {
    expect(
      edited('<a>\r\n  <b/>\r\n</a>\r\n', (editor, find) => {
        editor.append(find('a'), NEW);
        editor.append(find('b'), NEW);
      }),
    ).toBe('<a>\r\n  <b>\r\n    <new/>\r\n  </b>\r\n  <new/>\r\n</a>\r\n');
  });

  it('has its text and values escaped', () => {
    const added = { name: 'new', attributes: [['b', `'"<`]] as const, text: 'x < y && ]]>\r' };
    const text = edited('<a/>', (editor, find) => editor.append(find('a'), added));
    expect(text).toBe(`<a><new b='&apos;"&lt;'>x &lt; y &amp;&amp; ]]&gt;&#13;</new></a>`);
    const [child] = parseXml(text).root.children;
    expect(child?.text).toBe(added.text);
    expect(child?.attribute('b')).toBe(`'"<`);
  });
});

describe('a new sibling', () => {
  const TEXT = '<a>\n  <!-- first -->\n  <b/> <!-- of b --> \n\n  <c/>\n</a>\n';

  it.each<[title: string, edits: (editor: XmlEditor, find: (name: string) => XmlElement) => void, result: string]>([
    [
      'goes before an element, below the comments above it',
      (e, find) => e.insertBefore(find('b'), NEW),
      '<a>\n  <!-- first -->\n  <new/>\n  <b/> <!-- of b --> \n\n  <c/>\n</a>\n',
    ],
    [
      'goes before an element, below an empty line',
      (e, find) => e.insertBefore(find('c'), NEW),
      '<a>\n  <!-- first -->\n  <b/> <!-- of b --> \n\n  <new/>\n  <c/>\n</a>\n',
    ],
    [
      'goes after an element, behind the comment on its line',
      (e, find) => e.insertAfter(find('b'), NEW),
      '<a>\n  <!-- first -->\n  <b/> <!-- of b -->\n  <new/> \n\n  <c/>\n</a>\n',
    ],
    [
      'goes in the order of the calls if there are several',
      (e, find) => {
        e.insertAfter(find('b'), { name: 'n1' });
        e.insertBefore(find('c'), { name: 'n3' });
        e.insertAfter(find('b'), { name: 'n2' });
        e.insertBefore(find('c'), { name: 'n4' });
        e.append(find('a'), { name: 'n6' });
        e.insertAfter(find('c'), { name: 'n5' });
      },
      '<a>\n  <!-- first -->\n  <b/> <!-- of b -->\n  <n1/>\n  <n2/> \n\n  <n3/>\n  <n4/>\n  <c/>\n  <n5/>\n  <n6/>\n</a>\n',
    ],
  ])('%s', (_, edits, result) => {
    expect(edited(TEXT, edits)).toBe(result);
  });

  it('stays on the line of a one-line document', () => {
    expect(
      edited('<a><b/><c/></a>', (e, find) => {
        e.insertBefore(find('c'), { name: 'n2' });
        e.insertAfter(find('b'), { name: 'n1' });
        e.insertAfter(find('c'), PORT);
      }),
    ).toBe(`<a><b/><n1/><n2/><c/><controller type='pci'><model name='pcie-root-port'/><target/></controller></a>`);
  });
});

describe('a removed element', () => {
  it.each([
    ['takes its lines with it', '<a>\n  <b>\n    <c/>\n  </b>\n  <d/>\n</a>', '<a>\n  <d/>\n</a>'],
    ['takes its CRLF lines with it', '<a>\r\n  <b/>\r\n  <d/>\r\n</a>', '<a>\r\n  <d/>\r\n</a>'],
    ['leaves the white space behind it', '<a>\n  <b/>  \n  <d/>\n</a>', '<a>  \n  <d/>\n</a>'],
    ['leaves the comment behind it', '<a>\n  <b/> <!-- c -->\n</a>', '<a>\n   <!-- c -->\n</a>'],
    ['leaves other elements on its line', '<a>\n  <b/><d/>\n</a>', '<a>\n  <d/>\n</a>'],
    ['leaves white space that belongs to text', '<a>\n  <b/>\n  text</a>', '<a>\n  \n  text</a>'],
    ['takes its line with it if it is the last child', '<a>\n  <b/>\n</a>', '<a>\n</a>'],
  ])('%s', (_, text, result) => {
    expect(edited(text, (editor, find) => editor.remove(find('b')))).toBe(result);
  });

  it('leaves elements that were added beside it', () => {
    expect(
      edited('<a>\n  <b/>\n</a>', (e, find) => {
        e.insertBefore(find('b'), { name: 'n1' });
        e.insertAfter(find('b'), { name: 'n2' });
        e.append(find('a'), { name: 'n3' });
        e.remove(find('b'));
      }),
    ).toBe('<a>\n  <n1/>\n  <n2/>\n  <n3/>\n</a>');
  });

  it.each([
    ['<a>]]<b/>></a>', '<a>]]&gt;</a>'],
    ['<a>]<b/>]></a>', '<a>]]&gt;</a>'],
    ['<a>]]<b/><c/>></a>', '<a>]]&gt;</a>'],
  ])('leaves no ]]> in the text around it: %s', (text, result) => {
    const after = edited(text, (editor, find) => {
      for (const { name } of find('a').children) editor.remove(find(name));
    });
    expect(after).toBe(result);
    parseXml(after);
  });

  it.each([
    ['<a>\n  <b>\n    <c/>\n  </b>\n</a>', '<a>\n</a>'],
    ['<a><b>text<c/></b></a>', '<a><b>text</b></a>'],
    ['<a><b><c/>text</b></a>', '<a><b>text</b></a>'],
    ['<a><b><!-- --><c/></b></a>', '<a><b><!-- --></b></a>'],
    ['<a><b><c/><d/></b></a>', '<a><b><d/></b></a>'],
    ["<a><b d=''><c/></b></a>", "<a><b d=''/></a>"],
  ])('takes its parent with it if that becomes empty, but no text: %s', (text, result) => {
    const after = edited(text, (editor, find) => {
      editor.remove(find('c'));
      editor.whenEmpty(find('b'), 'remove');
    });
    expect(after).toBe(result);
  });

  it('leaves its parent if another element is added to that, or beside the removed one', () => {
    const added = (add: (editor: XmlEditor, find: (name: string) => XmlElement) => void) =>
      edited('<a><b><c/></b></a>', (editor, find) => {
        editor.remove(find('c'));
        add(editor, find);
        editor.whenEmpty(find('b'), 'remove');
      });
    expect(added((editor, find) => editor.append(find('b'), NEW))).toBe('<a><b><new/></b></a>');
    expect(added((editor, find) => editor.insertBefore(find('c'), NEW))).toBe('<a><b><new/></b></a>');
    expect(added((editor, find) => editor.insertAfter(find('c'), NEW))).toBe('<a><b><new/></b></a>');
    expect(added((editor, find) => editor.setAttribute(find('b'), 'd', '1'))).toBe("<a><b d='1'/></a>");
  });

  it('is replaced at its position', () => {
    expect(edited('<a>\n  <b c="d">\n    <e/>\n  </b> <!-- b -->\n</a>', (e, find) => e.replace(find('b'), PORT))).toBe(
      '<a>\n  <controller type="pci">\n    <model name="pcie-root-port"/>\n    <target/>\n  </controller> <!-- b -->\n</a>',
    );
  });
});

describe('an editor', () => {
  it('does not edit the text if no value changes', () => {
    const document = parseXml("<a b='1'><c/></a>");
    const editor = new XmlEditor(document);
    editor.setAttribute(document.root, 'b', '2');
    expect(editor.textEdits()).toHaveLength(1);
    editor.setAttribute(document.root, 'b', '1');
    expect(editor.textEdits()).toEqual([]);
    expect(editor.toString()).toBe(document.text);
  });

  it('accepts further edits after its text was read', () => {
    const document = parseXml('<a/>');
    const editor = new XmlEditor(document);
    editor.append(document.root, { name: 'b' });
    expect(editor.toString()).toBe('<a><b/></a>');
    editor.append(document.root, { name: 'c' });
    expect(editor.toString()).toBe('<a><b/><c/></a>');
    expect(document.text).toBe('<a/>');
  });

  it.each<[title: string, edits: (editor: XmlEditor, root: XmlElement) => void, message: string]>([
    ['an invalid name', (e, a) => e.append(a, { name: 'b c' }), '"b c" is not a name of XML'],
    ['an invalid attribute name', (e, a) => e.setAttribute(a, '', 'c'), '"" is not a name of XML'],
    [
      'an attribute twice',
      (e, a) =>
        e.append(a, {
          name: 'b',
          attributes: [
            ['c', '1'],
            ['c', '2'],
          ],
        }),
      'the new element b has the attribute c twice',
    ],
    [
      'a character that XML does not allow',
      (e, a) => e.setAttribute(a, 'b', '\0'),
      'has a character that XML cannot represent',
    ],
    [
      'a lone surrogate',
      (e, a) => e.append(a, { name: 'b', text: '\uD800' }),
      'has a character that XML cannot represent',
    ],
    ['a sibling of the root', (e, a) => e.insertAfter(a, NEW), '<a> is the root'],
    ['to remove the root', (e, a) => e.remove(a), '<a> is the root'],
    ['an element of another document', (e) => e.append(parseXml('<b/>').root, NEW), '<b> belongs to another document'],
  ])('refuses %s', (_, edits, message) => {
    const document = parseXml('<a/>');
    expect(() => {
      const editor = new XmlEditor(document);
      edits(editor, document.root);
      editor.toString();
    }).toThrow(message);
  });
});
