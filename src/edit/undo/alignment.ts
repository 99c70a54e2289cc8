import type { TextEdit } from '../../xml/text-edits.js';

/** The parts that two texts have in common, in order: the offset in the first text, the offset in the second, and the length. */
export type Alignment = readonly { readonly first: number; readonly second: number; readonly length: number }[];

/** Returns the alignment of a text of this length with the result of sorted edits. */
export function alignmentOf(edits: readonly TextEdit[], length: number): Alignment {
  let [first, second] = [0, 0];
  return [...edits, { start: length, end: length, text: '' }].map(({ start, end, text }) => {
    const common = { first, second, length: start - first };
    second += common.length + text.length;
    first = end;
    return common;
  });
}

/**
 * Returns the alignment of a first text with a third, given the alignments of first with second and second
 * with third. Takes linear time.
 */
export function compose(ab: Alignment, bc: Alignment): Alignment {
  const common = [];
  for (let i = 0, j = 0; ; ) {
    const [x, y] = [ab[i], bc[j]];
    if (!x || !y) return common;
    const start = Math.max(x.second, y.first);
    const [xEnd, yEnd] = [x.second + x.length, y.first + y.length];
    const length = Math.min(xEnd, yEnd) - start;
    if (length > 0) common.push({ first: x.first + start - x.second, second: y.second + start - y.first, length });
    if (xEnd <= yEnd) i++;
    if (yEnd <= xEnd) j++;
  }
}

/** Returns the alignment with the two texts swapped. */
export function invert(alignment: Alignment): Alignment {
  return alignment.map(({ first, second, length }) => ({ first: second, second: first, length }));
}

/** Returns the edits that turn the first text into the second, each without the characters that it does not change. */
export function editsOf(alignment: Alignment, first: string, second: string): TextEdit[] {
  let [at, from] = [0, 0];
  return [...alignment, { first: first.length, second: second.length, length: 0 }].flatMap((common) => {
    const text = second.slice(from, common.second);
    let [start, end, skipped, length] = [at, common.first, 0, text.length];
    at = common.first + common.length;
    from = common.second + common.length;
    while (start < end && skipped < length && first[start] === text[skipped])
      [start, skipped] = [start + 1, skipped + 1];
    for (; end > start && length > skipped && first[end - 1] === text[length - 1]; length--) end--;
    return start < end || skipped < length ? [{ start, end, text: text.slice(skipped, length) }] : [];
  });
}

/** Returns the offset in the second text for an offset in the first; undefined outside common parts. Takes logarithmic time. */
export function locate(alignment: Alignment, offset: number): number | undefined {
  let [low, high] = [0, alignment.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { first, second, length } = alignment[middle] ?? { first: 0, second: 0, length: 0 };
    if (first > offset) high = middle;
    else if (first + length <= offset) low = middle + 1;
    else return second + offset - first;
  }
  return undefined;
}
