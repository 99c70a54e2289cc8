import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editsBetween, formatEdits, parseEdits } from '../../src/edit/undo/text.js';
import type { NewElement } from '../../src/xml/print.js';
import { applyEdits, type TextEdit } from '../../src/xml/text-edits.js';

const TEXT = 'abcdefghijklmnop';

/** Edits of the text in order, with new text that does not occur in it. */
const edits = fc
  .array(fc.record({ gap: fc.nat(4), cut: fc.nat(3), text: fc.constantFrom('', '1', '23') }), { maxLength: 4 })
  .map((steps) => {
    const found: TextEdit[] = [];
    let at = 0;
    for (const { gap, cut, text } of steps) {
      const start = at + gap;
      const end = start + cut;
      if (end > TEXT.length || (cut === 0 && text === '')) continue;
      found.push({ start, end, text });
      at = end + 1;
    }
    return found;
  });

describe('the edits between two results of edits of one text', () => {
  it('turn the first into the second, in order', () => {
    fc.assert(
      fc.property(edits, edits, (one, other) => {
        const [first, second] = [applyEdits(TEXT, one), applyEdits(TEXT, other)];
        const between = editsBetween(one, other, TEXT.length, second);
        expect(applyEdits(first, between)).toBe(second);
        expect(parseEdits(formatEdits(between, []), []) ?? []).toEqual(
          between.length === 0 ? [edit(0, 0, '')] : between,
        );
      }),
    );
  });

  it('do not touch the text that both results keep', () => {
    const one = [edit(2, 3, 'X'), edit(8, 8, 'Y')];
    expect(editsBetween(one, [], 16, TEXT)).toEqual([edit(2, 3, 'c'), edit(8, 9, '')]);
    expect(editsBetween([], one, 16, applyEdits(TEXT, one))).toEqual(one);
    expect(editsBetween(one, one, 16, applyEdits(TEXT, one)).map(({ start, end }) => [start, end])).toEqual([
      [2, 3],
      [8, 9],
    ]);
    expect(editsBetween([], [], 16, TEXT)).toEqual([]);
    expect(editsBetween([], [edit(16, 16, 'Z')], 16, `${TEXT}Z`)).toEqual([edit(16, 16, 'Z')]);
  });
});

function edit(start: number, end: number, text: string): TextEdit {
  return { start, end, text };
}

describe('edits in the record', () => {
  it('are stored as positions and lengths, with the new text', () => {
    const found = [edit(0, 0, 'a'), edit(5, 7, ''), edit(7, 9, 'bcd')];
    const written = formatEdits(found, []);
    expect(written).toEqual({ edits: '0-0+1 5-2+0 7-2+3', put: 'abcd' });
    expect(parseEdits(written, [])).toEqual(found);
    expect(formatEdits([edit(5, 7, '')], [])).toEqual({ edits: '5-2+0' });
  });

  it('refer by number to removed elements that the record already contains', () => {
    const removed: NewElement[] = ['x', 'y'].map((name) => ({ name: 'iommu', attributes: [['model', name]] }));
    const found = [edit(3, 3, "\n    <iommu model='y'/>"), edit(4, 5, "<iommu model='x'/><z/>")];
    const written = formatEdits(found, removed);
    expect(written.put).toBe('\n    <2/><1/><z/>');
    expect(parseEdits(written, removed)).toEqual(found);
  });

  it('are read only in order', () => {
    expect(parseEdits({ edits: '5-2+0 7-1+0' }, [])).toEqual([edit(5, 7, ''), edit(7, 8, '')]);
    expect(parseEdits({ edits: '5-2+0 6-1+0' }, [])).toBeUndefined();
    expect(parseEdits({ edits: '0-1+0 9-2+0 6-1+0' }, [])).toBeUndefined();
  });
});
