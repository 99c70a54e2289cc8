/** Random changes of texts. The same seed gives the same changes. */

/** Text fragments that are difficult for parsers and rules. */
const TOKENS = [
  ...[
    '<',
    '>',
    '&',
    '"',
    "'",
    '/>',
    '</',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?x?>',
    '<!DOCTYPE x>',
    '&amp;',
    '&#0;',
    '&#x1F600;',
    '&x;',
  ],
  ...['{', '}', '[', ']', ',', ':', 'null', 'true', '1e999', '-1', '""', '"\\ud800"', '"__proto__":1,', '\\'],
  ...[
    '0',
    '-1',
    '010',
    '0x',
    '0x1f',
    '255',
    '256',
    '65535',
    '4294967296',
    '99999999999999999999',
    '1.5',
    'NaN',
    '0-99999',
    '1,2,3',
    '^1',
  ],
  ...[
    '\u0000',
    '\u001b[2J',
    '\u009b',
    '\u202e',
    '\u2028',
    '\ud800',
    '\ufffe',
    '\u00a0',
    'é',
    '🚀',
    '\r',
    '\r\n',
    '\t',
    ' '.repeat(300),
    '\n'.repeat(50),
  ],
  ...[
    'constructor',
    '__proto__',
    'toString',
    'xmlns:x',
    'xml:lang',
    'pcie-root',
    'pcie-expander-bus',
    'smmuv3',
    'unassigned',
    'pci',
    '../..',
    '/dev/zero',
  ],
  ...[
    "<address type='pci'/>",
    "<controller type='pci' model='pcie-root'/>",
    "<iommu model='smmuv3'/>",
    "<cell id='0'/>",
    '<devices/>',
    '<metadata/>',
  ],
] as const;

/** Returns a text with one to four random changes between the offsets `from` and `to`. */
export function mutate(text: string, random: () => number, from = 0, to = text.length): string {
  let changed = text.slice(from, to);
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) changed = change(changed, random);
  return text.slice(0, from) + changed + text.slice(to);
}

function change(text: string, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1));
  const length = Math.floor(random() ** 3 * 400);
  const token = TOKENS[Math.floor(random() * TOKENS.length)] ?? '';
  switch (Math.floor(random() * 8)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length);
    case 1:
      return text.slice(0, at) + token + text.slice(at);
    case 2:
      return text.slice(0, at + length) + text.slice(at);
    case 3: {
      const source = Math.floor(random() * text.length);
      return text.slice(0, at) + text.slice(source, source + length) + text.slice(at);
    }
    case 4:
      return replaceOne(text, /\d+/g, token, random);
    case 5:
      return replaceOne(text, /(?<==')[^']*|(?<=")[^"]*/g, token, random);
    case 6:
      return replaceOne(text, /<[a-z]+[^<>]*>/g, token, random);
    default:
      return replaceOne(text, /[A-Za-z]+/g, token, random);
  }
}

function replaceOne(text: string, pattern: RegExp, by: string, random: () => number): string {
  const found = [...text.matchAll(pattern)];
  const match = found[Math.floor(random() * found.length)];
  return match ? text.slice(0, match.index) + by + text.slice(match.index + match[0].length) : text;
}
