import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseXml } from '../../src/xml/document.js';
import { XmlEditor } from '../../src/xml/editor.js';
import { complaint } from './libxml2.js';
import { messageOf, refusal } from './refusal.js';

describe('a text that is not XML is refused in one line, as libxml2 refuses it', () => {
  it.each<[title: string, text: string, message: string]>([
    ['an empty document', '', '1:1: the document has no element'],
    ['only white space', ' \n ', '2:2: the document has no element'],
    ['plain text', 'hello world', '1:1: expected an element, found hello'],
    ['a document cut off in text', '<a>\n<b>\ntext', '3:5: the document ends before </b> (opened at line 2)'],
    [
      'a document cut off in a tag',
      '<a>\n<b c="d"',
      '2:9: expected an attribute or > in the tag <b>, found the end of the document',
    ],
    ['a document cut off in an attribute', '<a>\n<b c="d', '2:6: the value of c has no closing quote'],
    [
      'a document cut off before a value',
      '<a>\n<b c=',
      '2:6: expected a quote after c=, found the end of the document',
    ],
    ['a document cut off in an end tag', '<a>\n</a', '2:4: expected > after </a, found the end of the document'],
    [
      'a document cut off in the name of an end tag',
      '<abc>\n</ab',
      '2:1: expected </abc> (opened at line 1), found </ab>',
    ],
    ['a document cut off in a comment', '<a/>\n<!-- b', '2:1: the comment is not closed (-->)'],
    ['a document cut off in a CDATA section', '<a>\n<![CDATA[ b ]]', '2:1: the CDATA section is not closed (]]>)'],
    [
      'a document cut off in a processing instruction',
      '<a/>\n<?p b',
      '2:1: the processing instruction <?p is not closed (?>)',
    ],
    ['a document cut off after <', '<a><', '1:4: expected a name after <, found the end of the document'],
    ['a document cut off after <!', '<a><!', '1:4: expected a comment or a CDATA section after <!'],
    ['an end tag of another name', '<a>\n<b>\n</a>', '3:1: expected </b> (opened at line 2), found </a>'],
    ['a surplus end tag', '<a/></a>', '1:5: the end tag </a> ends no element'],
    ['an end tag with an attribute', '<a></a b="c">', '1:8: expected > after </a, found b="c"'],
    ['two roots', '<a/>\n<b/>', '2:1: a second root element <b>, after the end of <a>'],
    ['text after the root', '<a/>\ntext', '2:1: text after the end of <a>: text'],
    ['a reference after the root', '<a/>&amp;', '1:5: text after the end of <a>: &'],
    ['a CDATA section outside the root', '<![CDATA[ ]]><a/>', '1:1: a CDATA section outside the root element'],
    ['an attribute twice', '<a b="1"\nb="2"/>', '2:1: <a> has the attribute b twice'],
    [
      'an attribute twice among many',
      `<a ${[...'bcdefghijkb'].map((n) => `${n}=""`).join(' ')}/>`,
      '1:54: <a> has the attribute b twice',
    ],
    ['an attribute without a value', '<a b/>', "1:5: expected ='…' after the attribute b, found /"],
    ['an attribute without quotes', '<a b=c/>', '1:6: expected a quote after b=, found c/'],
    [
      'attributes without white space between them',
      `<a b='1'c='2'/>`,
      "1:9: expected white space after the value, found c='2'/",
    ],
    ['a < in a value', '<a b="<"/>', '1:7: < in the value of b (write &lt;), or its closing quote is missing'],
    ['a tag without its >', '<a>\n<b\n</a>', '3:1: expected an attribute or > in the tag <b>, found <'],
    ['a tag with a / inside', '<a / b="c"/>', '1:4: expected an attribute or > in the tag <a>, found /'],
    ['a < that begins no tag', '<a> 1 < 2 </a>', '1:7: expected a name after <, found white space'],
    ['a name that begins with a digit', '<1a/>', '1:1: expected a name after <, found 1a/'],
    ['a name with an invalid character', '<a$b/>', '1:3: expected > or white space after <a, found $b/'],
    ['a bare &', '<a>b & c</a>', '1:6: an & that does not begin a reference (write &amp;)'],
    ['an undefined entity', '<a>\n&nbsp;</a>', '2:1: the entity &nbsp; is not defined'],
    ['an undefined entity in a value', '<a b="&nbsp;"/>', '1:7: the entity &nbsp; is not defined'],
    ['a reference to NUL', '<a>&#0;</a>', '1:4: &#0; is not a character that XML allows'],
    ['a reference to a lone surrogate', '<a>&#xD800;</a>', '1:4: &#xD800; is not a character that XML allows'],
    ['a reference beyond Unicode', '<a b="&#x110000;"/>', '1:7: &#x110000; is not a character that XML allows'],
    [
      'a reference that overflows 32 bits',
      '<a>&#4294967361;</a>',
      '1:4: &#4294967361; is not a character that XML allows',
    ],
    ['a reference with a capital X', '<a>&#X41;</a>', '1:4: &#X41; is not a character that XML allows'],
    ['NUL', '<a>\n\0</a>', '2:1: the character U+0000 is not allowed in XML'],
    ['a control character in a comment', '<a><!--\u001B--></a>', '1:8: the character U+001B is not allowed in XML'],
    ['U+FFFE', '<a>\uFFFE</a>', '1:4: the character U+FFFE is not allowed in XML'],
    ['a lone surrogate', '<a>\uD83D</a>', '1:4: the character U+D83D is not allowed in XML'],
    ['-- in a comment', '<a><!-- -- --></a>', '1:9: -- inside a comment'],
    ['a comment that ends with --->', '<a><!-- ---></a>', '1:9: -- inside a comment'],
    ['a comment that is <!-->', '<!--><a/>', '1:1: the comment is not closed (-->)'],
    [']]> in text', '<a>]]></a>', '1:4: ]]> in text, outside a CDATA section (write ]]&gt;)'],
    [']]> after other text', '<a>\nb]]></a>', '2:2: ]]> in text, outside a CDATA section (write ]]&gt;)'],
    ['an unknown <!', '<a><!ELEMENT b></a>', '1:4: expected a comment or a CDATA section after <!'],
    [
      'white space before the declaration',
      " <?xml version='1.0'?><a/>",
      '1:2: <?xml: an XML declaration that is not at the start of the document',
    ],
    [
      'two declarations',
      "<?xml version='1.0'?><?xml version='1.0'?><a/>",
      '1:22: <?xml: an XML declaration that is not at the start of the document',
    ],
    [
      'a declaration without a version',
      "<?xml encoding='UTF-8'?><a/>",
      "1:1: the XML declaration is malformed (expected <?xml version='1.0' encoding='UTF-8'?>)",
    ],
    [
      'a processing instruction called XML',
      '<a><?XML b?></a>',
      '1:4: <?XML: an XML declaration that is not at the start of the document',
    ],
    [
      'a processing instruction without a name',
      '<a><? b?></a>',
      '1:4: expected the name of a processing instruction after <?, found white space',
    ],
    [
      'a processing instruction without white space after its name',
      '<?a"b"?><c/>',
      '1:4: expected white space or ?> after <?a, found "b"?',
    ],
  ])('%s', (_, text, expected) => {
    expect(messageOf(text)).toBe(expected);
    expect(refusal(text).code).toBe('xml-syntax');
    expect(complaint(text), 'libxml2').toBeDefined();
  });
});

describe('XML that vsmmu does not read is refused with its own code', () => {
  it.each<[title: string, code: string, input: string | Uint8Array, message: string]>([
    [
      'a name with two colons, which versions of libxml2 read differently',
      'xml-syntax',
      '<a xmlns:b="urn:b"><b:c:d/></a>',
      '1:24: expected > or white space after <b:c, found :d/',
    ],
    ['a name that begins with a colon', 'xml-syntax', '<:a/>', '1:1: expected a name after <, found :a/'],
    ['a DOCTYPE', 'xml-doctype', '<!DOCTYPE domain>\n<domain/>', '1:1: the document has a DOCTYPE'],
    [
      'a DOCTYPE with entities',
      'xml-doctype',
      '\n<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
      '2:1: the document has a DOCTYPE',
    ],
    ['a DOCTYPE of HTML', 'xml-doctype', '<!doctype html><html/>', '1:1: the document has a DOCTYPE'],
    [
      'another encoding declared',
      'xml-encoding',
      "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
      '1:1: the XML declaration says that the encoding is ISO-8859-1, not UTF-8',
    ],
    [
      'bytes that are not UTF-8',
      'xml-encoding',
      Buffer.from('<a>\nh\xE9llo</a>', 'latin1'),
      '2:2: the bytes here are not UTF-8',
    ],
    [
      'a surrogate in UTF-8',
      'xml-encoding',
      Buffer.from([0x3c, 0x61, 0x3e, 0xed, 0xa0, 0x80]),
      '1:4: the bytes here are not UTF-8',
    ],
    [
      'bytes that are not UTF-8 after two U+FFFD',
      'xml-encoding',
      Buffer.concat([Buffer.from('<a>\uFFFD-\uFFFD'), Buffer.from([0xff])]),
      '1:7: the bytes here are not UTF-8',
    ],
    [
      'a truncated character',
      'xml-encoding',
      Buffer.from('<a>\u{1F600}').subarray(0, 6),
      '1:4: the bytes here are not UTF-8',
    ],
    [
      'UTF-16 with a byte order mark',
      'xml-encoding',
      Buffer.from('\uFEFF<a/>', 'utf16le'),
      '1:1: the document is in UTF-16 or UTF-32, not in UTF-8',
    ],
    [
      'UTF-16 without a byte order mark',
      'xml-encoding',
      Buffer.from('<a/>', 'utf16le').swap16(),
      '1:1: the document is in UTF-16 or UTF-32, not in UTF-8',
    ],
    [
      'UTF-32',
      'xml-encoding',
      Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x3c]),
      '1:1: the document is in UTF-16 or UTF-32, not in UTF-8',
    ],
  ])('%s', (_, code, input, expected) => {
    expect(messageOf(input)).toBe(expected);
    expect(refusal(input).code).toBe(code);
  });

  it.each([
    ['bytes', Buffer.alloc(16 * 1024 * 1024 + 1, ' ')],
    ['text', 'é'.repeat(8 * 1024 * 1024 + 1)],
  ])('more than 16 MiB, as %s', (_, input) => {
    expect(refusal(input)).toMatchObject({
      code: 'xml-too-large',
      message: 'the document has more than 16 MiB; a domain has a few KB',
    });
  });
});

describe('XML that libxml2 accepts is accepted', () => {
  it.each<[title: string, text: string]>([
    ['a byte order mark', '\uFEFF<a/>'],
    ['a byte order mark and a declaration', "\uFEFF<?xml version='1.0' encoding='utf-8'?><a/>"],
    ['a declaration of the encoding as UTF8', "<?xml version='1.0' encoding='UTF8'?><a/>"],
    ['a later version of XML 1', "<?xml version='1.1'?><a/>"],
    ['a style sheet before the root', "<?xml-stylesheet href='a.xsl'?><a/>"],
    ['a processing instruction with a quote', "<a><?p it's?><b/></a>"],
    ['a processing instruction that hides a tag from quotes', '<a><?p "?><b/><?p "?></a>'],
    ['a processing instruction without data', '<a><?p?></a>'],
    ['names that fast-xml-parser refuses', '<__proto__><constructor/><prototype a="b">c</prototype></__proto__>'],
    [
      'a name that fast-xml-parser confuses with one of them',
      '<__proto__\u1680><constructor\u1680/></__proto__\u1680>',
    ],
    ['names of Object.prototype', '<toString><hasOwnProperty valueOf=""/></toString>'],
    ['a letter that JavaScript treats as white space', '<a\u1680b c=""><\u1681/></a\u1680b>'],
    ['letters outside the BMP', '<\u{10400} \u{10401}="\u{10402}">\u{10403}</\u{10400}>'],
    ['> in a value and in text', "<a b='>'>></a>"],
    ['/> in a value', '<a b="/>"></a>'],
    ['quotes of the other kind in values', `<a b='"' c="'"/>`],
    [']]> in a value', "<a b=']]>'/>"],
    [']] before a comment and >', '<a>]]<!-- -->></a>'],
    ['the shortest comment', '<!----><a/>'],
    ['a reference with leading zeros', '<a>&#00000000000000000065;</a>'],
    ['white space in an end tag', '<a></a\n>'],
    ['a default namespace that is undeclared', '<a xmlns="urn:a"><b xmlns=""/></a>'],
    ['a namespace written with a reference', '<a xmlns:b="urn&#58;b" b:c=""/>'],
    ['a relative namespace', '<a xmlns="relative/uri"/>'],
    ['a prefix that is not declared', '<a><qemu:commandline b:c=""/></a>'],
    ['one attribute under two prefixes', '<a xmlns:b="urn:b" xmlns:c="urn:b" b:d="" c:d=""/>'],
    ['a prefix for no namespace', '<a xmlns:b=""/>'],
    [
      'prefixes and namespaces that XML reserves',
      '<a xmlns:xml="urn:b" xmlns:xmlns="urn:b" xmlns:b="http://www.w3.org/2000/xmlns/"/>',
    ],
    ['a namespace that is not a URI', '<a xmlns="a\nb"/>'],
    ['a processing instruction with a colon in its name', '<?a:b?><c/>'],
    ['an xml:id twice', '<a xml:id="1"><b xml:id="1"/></a>'],
    ['a comment that begins with >', '<a><!-->"--></a>'],
    ['a quote in a long text', `<a>${`'`.repeat(2001)}<b/></a>`],
    ["xml's own prefix, declared or not", '<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="de"/>'],
  ])('%s', (_, text) => {
    expect(complaint(text), 'libxml2').toBeUndefined();
    expect(new XmlEditor(parseXml(Buffer.from(text))).toString()).toBe(text);
  });

  it('refuses the captured domain when it is cut off anywhere', () => {
    const text = readFileSync(new URL('../fixtures/domain-a.xml', import.meta.url), 'utf8').trimEnd();
    expect(parseXml(text).root.name).toBe('domain');
    for (let length = 0; length < text.length; length += 7)
      expect(refusal(text.slice(0, length)).code).toBe('xml-syntax');
  });
});
