import type { TextEdit } from '../../xml/text-edits.js';

/** The parts that two texts have in common, in order: the offset in the first text, the offset in the second, and the length. */
export type Alignment = readonly { readonly first: number; readonly second: number; readonly length: number }[];

/** Returns the alignment of a text of this length with the result of sorted edits. */
export function alignmentOf(edits: readonly TextEdit[], length: number): Alignment {
  const common = [];
  let [first, second] = [0, 0];
  for (const { start, end, text } of [...edits, { start: length, end: length, text: '' }]) {
    if (start > first) common.push({ first, second, length: start - first });
    second += start - first + text.length;
    first = end;
  }
  return common;
}

/**
 * Returns the alignment of a first text with a third, given the alignments of first with second and second
 * with third. Takes linear time.
 */
export function compose(ab: Alignment, bc: Alignment): Alignment {
  const common = [];
  for (let i = 0, j = 0; i < ab.length && j < bc.length; ) {
    const [x, y] = [ab[i], bc[j]];
    if (!x || !y) break;
    const start = Math.max(x.second, y.first);
    const [xEnd, yEnd] = [x.second + x.length, y.first + y.length];
    const length = Math.min(xEnd, yEnd) - start;
    if (length > 0) common.push({ first: x.first + start - x.second, second: y.second + start - y.first, length });
    if (xEnd <= yEnd) i++;
    if (yEnd <= xEnd) j++;
  }
  return common;
}

/** Returns the alignment with the two texts swapped. */
export function invert(alignment: Alignment): Alignment {
  return alignment.map(({ first, second, length }) => ({ first: second, second: first, length }));
}

/** Returns the edits that turn the first text into the second. */
export function editsOf(alignment: Alignment, first: string, second: string): TextEdit[] {
  const edits: TextEdit[] = [];
  let [at, from] = [0, 0];
  for (const common of [...alignment, { first: first.length, second: second.length, length: 0 }]) {
    const edit = { start: at, end: common.first, text: second.slice(from, common.second) };
    if (first.slice(edit.start, edit.end) !== edit.text) edits.push(trim(edit, first));
    at = common.first + common.length;
    from = common.second + common.length;
  }
  return edits;
}

/** Shortens an edit by the characters that it does not change. */
function trim({ start, end, text }: TextEdit, first: string): TextEdit {
  let [from, to, length] = [start, end, text.length];
  while (from < to && from - start < length && first[from] === text[from - start]) from++;
  for (; to > from && length > from - start && first[to - 1] === text[length - 1]; length--) to--;
  return { start: from, end: to, text: text.slice(from - start, length) };
}

/** Returns the offset in the second text for an offset in the first; undefined outside common parts. Takes logarithmic time. */
export function locate(alignment: Alignment, offset: number): number | undefined {
  let [low, high] = [0, alignment.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const stretch = alignment[middle];
    if (!stretch || stretch.first > offset) high = middle;
    else if (stretch.first + stretch.length <= offset) low = middle + 1;
    else return stretch.second + offset - stretch.first;
  }
  return undefined;
}
