import { expect, it } from 'vitest';
import { applyEdits, sortEdits, type TextEdit } from '../../src/xml/text-edits.js';

const edit = (start: number, end: number, text = ''): TextEdit => ({ start, end, text });

it('edits are sorted by position, and those at one position keep their order', () => {
  const sorted = sortEdits([edit(5, 6), edit(2, 2, 'a'), edit(2, 2, 'b'), edit(2, 4), edit(0, 1)]);
  expect(sorted).toEqual([edit(0, 1), edit(2, 2, 'a'), edit(2, 2, 'b'), edit(2, 4), edit(5, 6)]);
  expect(applyEdits('0123456', sorted)).toBe('1ab46');
});

it('edits inside the range of another edit are dropped, also at its start', () => {
  expect(sortEdits([edit(3, 4), edit(2, 6, 'x')])).toEqual([edit(2, 6, 'x')]);
  expect(sortEdits([edit(2, 4), edit(2, 6, 'x'), edit(6, 7)])).toEqual([edit(2, 6, 'x'), edit(6, 7)]);
});

it('no edits leave a text as it is', () => {
  expect(sortEdits([])).toEqual([]);
  expect(applyEdits('text', [])).toBe('text');
});
