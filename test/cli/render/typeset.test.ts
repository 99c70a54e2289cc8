import { describe, expect, it } from 'vitest';
import { item, paragraph } from '../../../src/cli/render/typeset.js';

describe('text of a given width', () => {
  it('is filled up to the width and not beyond it', () => {
    expect(paragraph('aa bb cc', '', 5)).toBe('aa bb\ncc\n');
    expect(paragraph('aa bb cc', ' ', 5)).toBe(' aa\n bb\n cc\n');
    expect(paragraph('aa bbbbbbbb c', ' ', 5)).toBe(' aa\n bbbbbbbb\n c\n');
    expect(paragraph('  ', '--')).toBe('--\n');
    expect(item('aa bb', '  ')).toBe('  aa bb\n');
    expect(item(`a ${'b'.repeat(78)}`, '  ')).toBe(`  a\n    ${'b'.repeat(78)}\n`);
  });
});
