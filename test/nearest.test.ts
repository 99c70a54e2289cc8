import { describe, expect, it } from 'vitest';
import { nearest } from '../src/nearest.js';

describe('the suggested name', () => {
  it.each<[title: string, given: string, names: string[], near: string | undefined]>([
    ['is the most similar one', 'rewrit', ['revert', 'rewrite'], 'rewrite'],
    ['may differ in two letters', 'abc', ['axy'], 'axy'],
    ['may not differ in three letters of a short name', 'abc', ['xyz'], undefined],
    ['may differ in a third of a long name', 'abcdefghi', ['abcdefxyz'], 'abcdefxyz'],
    ['may not differ in more than a third', 'abcdefghi', ['abcdewxyz'], undefined],
    ['is unknown if there are no names', 'abc', [], undefined],
    ['can be 100 characters long', 'a'.repeat(100), ['a'.repeat(99)], 'a'.repeat(99)],
    ['is not searched for a longer input', 'a'.repeat(101), ['a'.repeat(100)], undefined],
  ])('%s', (_, given, names, near) => expect(nearest(given, names)).toBe(near));
});
