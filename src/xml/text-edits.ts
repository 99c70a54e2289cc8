/** One edit of a text: this stretch of it becomes another text. An insertion has an empty stretch. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Sorts edits by place, keeping the order of those at one place, and drops those within a stretch that another edit takes. */
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

/** The text with sorted edits applied. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: replacement } of edits) {
    parts.push(text.slice(at, start), replacement);
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}
