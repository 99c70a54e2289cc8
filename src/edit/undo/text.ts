import type { Text } from '../../generated/metadata.js';
import { type NewElement, printElement } from '../../xml/print.js';
import type { TextEdit } from '../../xml/text-edits.js';

/** A part of a text that edits keep: its range, and its offset in the result. */
interface KeptPart {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

/** Returns the parts of a text of this length that sorted edits keep. The last part ends one character after the text. */
function keptParts(edits: readonly TextEdit[], length: number): readonly KeptPart[] {
  let [start, at] = [0, 0];
  const parts = edits.map((edit) => {
    const part = { start, end: edit.start, at };
    at += edit.start - start + edit.text.length;
    start = edit.end;
    return part;
  });
  return [...parts, { start, end: length + 1, at }];
}

/**
 * Returns the edits that turn one text into another, if both are results of edits of a third text. Takes linear time.
 * @param one the edits that lead to the first text
 * @param other the edits that lead to the second text
 * @param length the length of the third text
 * @param target the second text
 */
export function editsBetween(
  one: readonly TextEdit[],
  other: readonly TextEdit[],
  length: number,
  target: string,
): TextEdit[] {
  const [ones, others] = [keptParts(one, length), keptParts(other, length)];
  const edits: TextEdit[] = [];
  let [start, from] = [0, 0];
  for (let i = 0, j = 0; ; ) {
    const [x, y] = [ones[i], others[j]];
    if (!x || !y) return edits;
    const common = Math.max(x.start, y.start);
    const commonEnd = Math.min(x.end, y.end);
    if (common < commonEnd) {
      const end = x.at + common - x.start;
      const text = target.slice(from, y.at + common - y.start);
      if (start < end || text !== '') edits.push({ start, end, text });
      start = x.at + commonEnd - x.start;
      from = y.at + commonEnd - y.start;
    }
    if (x.end === commonEnd) i++;
    if (y.end === commonEnd) j++;
  }
}

/** Returns edits in the form of the record. Elements that are in the record already are not written a second time. */
export function formatEdits(edits: readonly TextEdit[], removed: readonly NewElement[]): Text {
  const put = removed.reduce(
    (text, element, i) => text.replace(printed(element), () => placeholder(i)),
    edits.map(({ text }) => text).join(''),
  );
  const list = edits.map(({ start, end, text }) => `${start}-${end - start}+${text.length}`);
  return { edits: list.join(' '), ...(put !== '' && { put }) };
}

/** Reads edits from the record; undefined if they are not in order. */
export function parseEdits({ edits, put = '' }: Text, removed: readonly NewElement[]): TextEdit[] | undefined {
  const inserted = removed.reduce((text, element, i) => text.replace(placeholder(i), () => printed(element)), put);
  let at = 0;
  const parsed = edits.split(' ').map((edit) => {
    const [start = 0, cut = 0, length = 0] = edit.split(/[-+]/).map(Number);
    const text = inserted.slice(at, at + length);
    at += length;
    return { start, end: start + cut, text };
  });
  return parsed.every(({ start }, i) => start >= (parsed[i - 1]?.end ?? 0)) ? parsed : undefined;
}

/** Prints an element of `<devices>` as libvirt 12.8 does. */
function printed(element: NewElement): string {
  return printElement(element, "'", { lineEnd: '\n', indent: '    ', unit: '  ' });
}

/** Stands for a removed element in `put`. XML has no such tag. */
function placeholder(index: number): string {
  return `<${index + 1}/>`;
}
