import { escapeMarkup, printable } from '../../escape.js';
import { COLOURS, colour } from './colours.js';

/** Graphviz has the measures of these built in, by exactly these names: text fits wherever a font of such measures is. */
const SANS = 'Helvetica';
const BOLD = 'Helvetica-Bold';
const MONO = 'Courier';

/** Points that a character takes at most on average, in either font, and what is around it in a cell. */
const CHARACTER = { sans: 6.4, mono: 7.3, padding: 16 };

/** A cell of a card's row. */
export interface Cell {
  readonly text: string;
  readonly mono?: boolean;
  readonly bold?: boolean;
  readonly colour?: keyof typeof COLOURS;
}

/** A row of a card; lines begin and end at those that have a name. */
export interface Row {
  readonly name?: string;
  /** Where there are fewer than columns, the first one is the wider. */
  readonly cells: readonly Cell[];
}

/** A box with a title and rows. */
export interface Card {
  readonly name: string;
  /** Its first lines, above the rule. */
  readonly head: readonly Row[];
  readonly rows: readonly Row[];
  /** Of its frame and its title. */
  readonly colour: string;
}

/** Cards below a title. */
export interface Side {
  readonly name: string;
  readonly title: string;
  readonly cards: readonly Card[];
}

/** A line from a row to a row, each `card:row`. */
export interface Line {
  readonly from: readonly [card: string, row: string];
  readonly to: readonly [card: string, row: string];
  readonly colour: string;
  readonly dashed?: boolean;
}

/** A drawing of two sides and the lines between, as Graphviz's DOT. */
export function toDot(title: string, sides: readonly Side[], lines: readonly Line[]): string {
  const titles = sides.map(({ name }) => quoted(name)).join(' -> ');
  return `digraph ${quoted(title)} {
  graph [rankdir=LR, splines=true, ranksep=1.6, nodesep=0.2, pad=0.3, bgcolor="${colour('paper')}", fontname="${SANS}"]
  node [shape=plain, fontname="${SANS}", fontsize=12, fontcolor="${colour('ink')}"]
  edge [arrowsize=0.6, penwidth=1.5]
${sides.map(sideInDot).join('')}  ${titles} [style=invis, weight=100]
${lines.map(lineInDot).join('')}}
`;
}

/** The cards of a side one below the other: within a rank, lines that are not drawn keep them in their order. */
function sideInDot({ name, title, cards }: Side): string {
  const widths = columnWidths(cards);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const order = [name, ...cards.map((card) => card.name)].map(quoted).join(' -> ');
  return `  ${quoted(name)} [label=<<TABLE BORDER="0" CELLBORDER="0"><TR><TD ALIGN="LEFT" WIDTH="${total}"><FONT POINT-SIZE="16" FACE="${BOLD}">${escaped(title)}</FONT></TD></TR></TABLE>>]
${cards.map((card) => cardInDot(card, widths)).join('')}  { rank=same; edge [style=invis]; ${order} }
`;
}

/** How wide each column has to be, so that all cards of a side are alike. */
function columnWidths(cards: readonly Card[]): number[] {
  const rows = cards.flatMap((card) => [...card.head, ...card.rows]);
  const columns = Math.max(0, ...rows.map(({ cells }) => cells.length));
  const width = ({ text, mono = false }: Cell) =>
    Math.ceil([...text].length * (mono ? CHARACTER.mono : CHARACTER.sans)) + CHARACTER.padding;
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

function cardInDot({ name, head, rows, colour: frame }: Card, widths: readonly number[]): string {
  const rule = head.length > 0 && rows.length > 0 ? '<HR/>' : '';
  const body = rows.map((row) => rowInDot(row, widths)).join('');
  const top = head.map((row, i) => rowInDot(row, widths, i === 0 ? frame : undefined)).join('');
  return `  ${quoted(name)} [label=<<TABLE STYLE="ROUNDED" BORDER="1.5" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" COLOR="${frame}" BGCOLOR="${colour('card')}">${top}${rule}${body}</TABLE>>]
`;
}

function rowInDot({ name, cells }: Row, widths: readonly number[], title?: string): string {
  const span = widths.length - cells.length + 1;
  return `<TR>${cells
    .map((cell, i) => {
      const [first, last] = [i === 0, i === cells.length - 1];
      // Lines end on the left of a row and begin on its right.
      const port = name === undefined ? '' : first ? ` PORT="${name}"` : last ? ` PORT="${name}_"` : '';
      const wide = first && span > 1 ? ` COLSPAN="${span}"` : '';
      const width = widths.slice(first ? 0 : i + span - 1, i + span).reduce((sum, each) => sum + each, 0);
      return `<TD${port}${wide} WIDTH="${width}" ALIGN="${last && !first ? 'RIGHT' : 'LEFT'}">${textInDot(cell, first ? title : undefined)}</TD>`;
    })
    .join('')}</TR>`;
}

function textInDot({ text, mono = false, bold = false, colour: role = 'ink' }: Cell, own?: string): string {
  const face = mono ? ` FACE="${MONO}"` : bold ? ` FACE="${BOLD}"` : '';
  return `<FONT COLOR="${own ?? COLOURS[role].light}"${face}>${text === '' ? ' ' : escaped(text)}</FONT>`;
}

function lineInDot({ from, to, colour: stroke, dashed = false }: Line): string {
  const style = dashed ? ', style=dashed' : '';
  return `  ${quoted(from[0])}:${from[1]}_:e -> ${quoted(to[0])}:${to[1]}:w [color="${stroke}"${style}]\n`;
}

/** A name as DOT takes it. */
function quoted(text: string): string {
  return `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Untrusted text in a label, which is HTML of a kind; Graphviz replaces `\N` there, too. */
function escaped(text: string): string {
  return escapeMarkup(text).replaceAll('\\', '\\\\');
}
