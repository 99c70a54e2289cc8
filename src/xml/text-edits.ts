/** One edit of a text: replaces the range from `start` to `end` with `text`. An insertion has an empty range. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Sorts edits by position. Edits at one position keep their order. Edits inside the range of another edit are dropped. */
export function sortEdits(edits: readonly TextEdit[]): TextEdit[] {
  const sorted: TextEdit[] = [];
  for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const previous = sorted.at(-1);
    if (previous && edit.start < previous.end) {
      if (edit.start > previous.start) continue;
      sorted.pop();
    }
    sorted.push(edit);
  }
  return sorted;
}

/** Returns the text with sorted edits applied. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const parts = edits.map((edit, i) => text.slice(edits[i - 1]?.end ?? 0, edit.start) + edit.text);
  return parts.join('') + text.slice(edits.at(-1)?.end ?? 0);
}
