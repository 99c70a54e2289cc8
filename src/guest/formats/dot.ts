import { escapeMarkup, printable } from '../../escape.js';
import {
  type Card,
  type Cell,
  columnWidths,
  type Line,
  type Picture,
  type PictureFormat,
  type Row,
  type Side,
} from '../picture/cards.js';
import { COLOURS, colour } from '../picture/colours.js';

/**
 * Graphviz has the metrics of fonts with exactly these names built in. The text fits if the font that is used has the same
 * metrics.
 */
const SANS = 'Helvetica';
const BOLD = 'Helvetica-Bold';
const MONO = 'Courier';

export const format: PictureFormat = { summary: 'Graphviz', draw };

function draw({ title, sides, lines }: Picture): string {
  const titles = sides.map(({ name }) => quoted(name)).join(' -> ');
  return `digraph ${quoted(title)} {
  graph [rankdir=LR, splines=true, ranksep=1.6, nodesep=0.2, pad=0.3, bgcolor="${colour('paper')}", fontname="${SANS}"]
  node [shape=plain, fontname="${SANS}", fontsize=12, fontcolor="${colour('ink')}"]
  edge [arrowsize=0.6, penwidth=1.5]
${sides.map(sideInDot).join('')}  ${titles} [style=invis, weight=100]
${lines.map(lineInDot).join('')}}
`;
}

/** Draws the cards of a side one below the other. Invisible edges within a rank keep their order. */
function sideInDot({ name, title, cards }: Side): string {
  const widths = columnWidths(cards);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const order = [name, ...cards.map((card) => card.name)].map(quoted).join(' -> ');
  return `  ${quoted(name)} [label=<<TABLE BORDER="0" CELLBORDER="0"><TR><TD ALIGN="LEFT" WIDTH="${total}"><FONT POINT-SIZE="16" FACE="${BOLD}">${escaped(title)}</FONT></TD></TR></TABLE>>]
${cards.map((card) => cardInDot(card, widths)).join('')}  { rank=same; edge [style=invis]; ${order} }
`;
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

/** Quotes a name for DOT. */
function quoted(text: string): string {
  return `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Escapes untrusted text for a label, which is a kind of HTML. Graphviz replaces `\N` there, too. */
function escaped(text: string): string {
  return escapeMarkup(text).replaceAll('\\', '\\\\');
}
