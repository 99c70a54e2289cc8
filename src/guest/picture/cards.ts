import type { COLOURS } from './colours.js';

/** The average width of a character at 12 px, and the padding of a cell, in pixels. */
const CHARACTER = { sans: 6.6, bold: 8.4, mono: 7.3, padding: 16 };

/** A cell of a card's row. */
export interface Cell {
  readonly text: string;
  readonly mono?: boolean;
  readonly bold?: boolean;
  readonly colour?: keyof typeof COLOURS;
}

/** A row of a card. Lines begin and end at rows that have a name. */
export interface Row {
  readonly name?: string;
  /** If there are fewer cells than columns, the first cell is wider. */
  readonly cells: readonly Cell[];
}

/** A box with a title and rows. */
export interface Card {
  readonly name: string;
  /** Its first lines, above the rule. */
  readonly head: readonly Row[];
  readonly rows: readonly Row[];
  /** The colour of its frame and its title. */
  readonly colour: string;
}

/** Cards below a title. */
export interface Side {
  readonly name: string;
  readonly title: string;
  readonly cards: readonly Card[];
}

/** A line between two rows, each given by its card and its name. */
export interface Line {
  readonly from: readonly [card: string, row: string];
  readonly to: readonly [card: string, row: string];
  readonly colour: string;
  readonly dashed?: boolean;
}

/** Two sides and the lines between them. */
export interface Picture {
  readonly title: string;
  readonly sides: readonly [Side, Side];
  readonly lines: readonly Line[];
}

/** A language for pictures. Each file in `../formats/` has one. */
export interface PictureFormat {
  /** A few words for --help. */
  readonly summary: string;
  readonly draw: (picture: Picture) => string;
}

/** The formats by name, each with its summary and a function that loads it. */
export type FormatTable = Readonly<
  Record<string, Pick<PictureFormat, 'summary'> & { readonly load: () => Promise<PictureFormat> }>
>;

/** Returns the width of each column. All cards of a side have the same columns. */
export function columnWidths(cards: readonly Card[]): number[] {
  const rows = cards.flatMap((card) => [...card.head, ...card.rows]);
  const columns = Math.max(0, ...rows.map(({ cells }) => cells.length));
  const width = ({ text, mono, bold }: Cell) =>
    Math.ceil([...text].length * CHARACTER[mono ? 'mono' : bold ? 'bold' : 'sans']) + CHARACTER.padding;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(
      0,
      ...rows
        .filter(({ cells }) => cells.length === columns)
        .flatMap(({ cells }) => (cells[column] ? [width(cells[column])] : [])),
    ),
  );
  const total = widths.reduce((sum, each) => sum + each, 0);
  const widest = Math.max(
    0,
    ...rows
      .filter(({ cells }) => cells.length < columns)
      .map(({ cells }) => cells.reduce((sum, cell) => sum + width(cell), 0)),
  );
  return widths.map((each, column) => (column === columns - 1 ? each + Math.max(0, widest - total) : each));
}
