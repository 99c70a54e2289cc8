import { define, defineCases } from './diagnostic.js';

export const xmlSyntax = defineCases('xml-syntax', {
  severity: 'error',
  messages: {
    expected: (a: { expected: string; found: string }) => `expected ${a.expected}, found ${a.found}`,
    expectedBang: 'expected a comment or a CDATA section after <!',
    attributeTwice: (a: { element: string; attribute: string }) =>
      `<${a.element}> has the attribute ${a.attribute} twice`,
    tooLong: (a: { what: string; bytes: number }) => `${a.what} of more than ${a.bytes} bytes, which libxml2 refuses`,
    tooDeep: (a: { depth: number }) => `elements are nested deeper than ${a.depth}, which libxml2 refuses`,
    ampersand: 'an & that does not begin a reference (write &amp;)',
    notCharacter: (a: { reference: string }) => `${a.reference} is not a character that XML allows`,
    illegalCharacter: (a: { character: string }) => `${a.character} is not allowed in XML`,
    entity: (a: { reference: string }) => `the entity ${a.reference} is not defined`,
    unclosedValue: (a: { attribute: string }) => `the value of ${a.attribute} has no closing quote`,
    markupInValue: (a: { attribute: string }) =>
      `< in the value of ${a.attribute} (write &lt;), or its closing quote is missing`,
    /** `expected` is an end tag. */
    unclosedElement: (a: { expected: string }) => `the document ends before ${a.expected}`,
    unclosed: (a: { what: string; end: string }) => `${a.what} is not closed (${a.end})`,
    noElement: 'the document has no element',
    secondRoot: (a: { element: string; root: string }) =>
      `a second root element <${a.element}>, after the end of <${a.root}>`,
    textAfterRoot: (a: { root: string; found: string }) => `text after the end of <${a.root}>: ${a.found}`,
    strayEndTag: (a: { element: string }) => `the end tag </${a.element}> ends no element`,
    declaration: "the XML declaration is malformed (expected <?xml version='1.0' encoding='UTF-8'?>)",
    lateDeclaration: (a: { target: string }) =>
      `<?${a.target}: an XML declaration that is not at the start of the document`,
    sectionEnd: ']]> in text, outside a CDATA section (write ]]&gt;)',
    sectionOutside: 'a CDATA section outside the root element',
    dashes: '-- inside a comment',
  },
  meaning: 'the text is not well-formed XML',
  why: `vsmmu edits a domain in place, so it accepts only XML that libvirt's own parser accepts. An element that is not closed, an
    attribute given twice, a stray & or < are refused, with the line and column.`,
  remedy: `Correct the text at that line. A domain that libvirt has is well-formed: virsh dumpxml prints it.`,
  example: `<name>R&D</name>       <!-- wrong -->
<name>R&amp;D</name>   <!-- right -->`,
});

export const xmlDoctype = define('xml-doctype', {
  severity: 'error',
  message: 'the document has a DOCTYPE',
  hint: 'remove the <!DOCTYPE …>',
  meaning: 'the document has a DOCTYPE; vsmmu never expands entities and accepts no DOCTYPE',
  why: `A DOCTYPE can define entities. Their content can be huge or lie in another file. libvirt does not write a DOCTYPE and
    does not need one.`,
  remedy: `Remove the DOCTYPE, and replace its entities with their text.`,
  example: `<!DOCTYPE domain>   <!-- remove this -->
<domain type='kvm'>`,
});

export const xmlEncoding = defineCases('xml-encoding', {
  severity: 'error',
  messages: {
    wide: 'the document is in UTF-16 or UTF-32, not in UTF-8',
    invalid: 'the bytes here are not UTF-8',
    declared: (a: { encoding: string }) => `the XML declaration says that the encoding is ${a.encoding}, not UTF-8`,
  },
  hint: 'convert it to UTF-8 (iconv -t UTF-8) and correct the declaration',
  meaning: 'the text is not UTF-8, or declares another encoding',
  why: `vsmmu keeps every byte that it does not edit, and can do so only in UTF-8. Some editors save Latin-1 or UTF-16, or leave a
    declaration that does not match the text.`,
  remedy: `Convert the file, and correct or remove the encoding in its first line: UTF-8 is the default.`,
  example: `iconv -f LATIN1 -t UTF-8 vm.xml | sed "1s/encoding=['\\"][^'\\"]*['\\"]//" > vm-utf8.xml`,
});

export const xmlTooLarge = defineCases('xml-too-large', {
  severity: 'error',
  messages: {
    bytes: 'the document has more than 16 MiB; a domain has a few KB',
    elements: (a: { limit: number }) => `the document has more than ${a.limit} elements`,
  },
  meaning: 'the document has more than 16 MiB or a million elements',
  why: `Domains have 3 to 20 KB. A document with more than 16 MiB or a million elements is another file, or an attempt to
    exhaust memory.`,
  remedy: `Check the file: it is probably a disk image, a memory dump or the wrong path.`,
  example: `ls -l vm.xml`,
});
