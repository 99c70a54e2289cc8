import { describe, expect, it } from 'vitest';
import { parseXml } from '../../src/xml/document.js';
import { complaint } from './libxml2.js';
import { told } from './refusal.js';

describe("libxml2's limits hold here", () => {
  it.each<[title: string, text: string]>([
    ['elements nested as deep as it takes', '<a>'.repeat(256) + '</a>'.repeat(256)],
    ['a name of 50 000 bytes', `<${'a'.repeat(50_000)}/>`],
  ])('up to %s', (_, text) => {
    expect(complaint(text), 'libxml2').toBeUndefined();
    expect(parseXml(text).text).toBe(text);
  });

  it.each<[title: string, text: string, told: string]>([
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
    expect(told(text)).toBe(expected);
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
    expect(told(text)).toBe(`${what} of more than 9000000 bytes, which libxml2 refuses`);
    expect(complaint(text), 'libxml2').toBeDefined();
  });
});
