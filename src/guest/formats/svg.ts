import { escapeMarkup } from '../../escape.js';
import { groupBy } from '../../group-by.js';
import {
  type Card,
  type Cell,
  columnWidths,
  type Line,
  type Picture,
  type PictureFormat,
  type Row,
} from '../picture/cards.js';
import { COLOURS, colour, darkRules } from '../picture/colours.js';

/** The class of every picture. Its style is the same in all pictures and does not affect the rest of a page. */
const CLASS = 'vsmmu-picture';

const STYLE = `<style>
.${CLASS}{max-width:100%;height:auto;font:12px "Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}
.${CLASS} .mono{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono","Liberation Mono",monospace}
.${CLASS} .bold{font-weight:bold}
.${CLASS} .title{font-size:16px}
@media (prefers-color-scheme:dark){${darkRules(CLASS)}}
</style>`;

/** Sizes in pixels. */
const MARGIN = 20;
const TITLE_HEIGHT = 36;
const ROW_HEIGHT = 22;
const CARD_PADDING = 8;
const CARD_GAP = 18;
/** Between the two sides: room for the lines. */
const LINES_WIDTH = 130;
const ARROW = 7;

/** A card with its place in the picture. */
interface PlacedCard {
  readonly card: Card;
  readonly x: number;
  readonly y: number;
  readonly widths: readonly number[];
}

export const format: PictureFormat = { summary: 'SVG', draw };

/**
 * Draws a picture as SVG. The SVG can be a file or a part of an HTML page. A page can contain several, because they have no
 * ids, and their style affects nothing else. Untrusted text is escaped. The title is for screen readers.
 */
function draw({ title, sides, lines }: Picture): string {
  const [left, right] = sides;
  const widths = sides.map(({ cards, title: heading }) => sideWidths(cards, heading));
  const totals = widths.map(sum);
  const rightX = MARGIN + (totals[0] ?? 0) + LINES_WIDTH;
  // The taller side is stacked. Each card of the other side is placed as near as possible to the ends of its lines.
  const leftIsTaller = heightOf(left.cards) >= heightOf(right.cards);
  const [taller, other] = leftIsTaller ? [left, right] : [right, left];
  const base = stack(taller.cards, new Map());
  const tops = [base, stack(other.cards, wantedTops(base, other.cards, lines, leftIsTaller))];
  const [leftTops = [], rightTops = []] = leftIsTaller ? tops : tops.toReversed();
  const place = (
    cards: readonly Card[],
    ys: readonly Placement[],
    x: number,
    columns: readonly number[],
  ): PlacedCard[] => cards.map((card, i) => ({ card, x, y: ys[i]?.y ?? 0, widths: columns }));
  const placed = [
    place(left.cards, leftTops, MARGIN, widths[0] ?? []),
    place(right.cards, rightTops, rightX, widths[1] ?? []),
  ] as const;
  const height = Math.max(...placed.flat().map(({ card, y }) => y + cardHeight(card)), TITLE_HEIGHT) + MARGIN;
  const width = rightX + (totals[1] ?? 0) + MARGIN;
  return `<svg class="${CLASS}" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" xmlns="http://www.w3.org/2000/svg">
<title>${escapeMarkup(title)}</title>
${STYLE}
<rect fill="${colour('paper')}" width="${width}" height="${height}"/>
${[left, right].map(({ title: heading }, i) => textAt({ text: heading, bold: true }, i === 0 ? MARGIN : rightX, MARGIN + 14, ' title')).join('')}${placed.flat().map(drawCard).join('')}${lines.map((line) => drawLine(line, placed)).join('')}</svg>
`;
}

/** The top of a card. */
interface Placement {
  readonly card: Card;
  readonly y: number;
}

/** Stacks cards. Each card is at or below its wanted top. */
function stack(cards: readonly Card[], wanted: ReadonlyMap<string, number>): Placement[] {
  let y = MARGIN + TITLE_HEIGHT;
  return cards.map((card) => {
    const top = Math.max(y, wanted.get(card.name) ?? 0);
    y = top + cardHeight(card) + CARD_GAP;
    return { card, y: top };
  });
}

/** Returns the tops of the other side's cards at which the lines of their placed devices are horizontal on average. */
function wantedTops(
  base: readonly Placement[],
  others: readonly Card[],
  lines: readonly Line[],
  baseIsLeft: boolean,
): Map<string, number> {
  const shifts = lines.flatMap(({ from, to, dashed }) => {
    const [there, here] = baseIsLeft ? [from, to] : [to, from];
    const placed = base.find(({ card }) => card.name === there[0]);
    const card = others.find(({ name }) => name === here[0]);
    if (!placed || !card || dashed) return [];
    const y = rowY(placed.y, rowIndex(placed.card, there[1])) - rowY(0, rowIndex(card, here[1]));
    return [{ name: card.name, y }];
  });
  const byCard = groupBy(shifts, ({ name }) => name);
  return new Map([...byCard].map(([name, each]) => [name, Math.round(sum(each.map(({ y }) => y)) / each.length)]));
}

const rowIndex = ({ head, rows }: Card, name: string): number =>
  [...head, ...rows].findIndex((row) => row.name === name);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Returns the widths of the columns of a side. A side without columns is as wide as its heading. */
function sideWidths(cards: readonly Card[], heading: string): readonly number[] {
  const widths = columnWidths(cards);
  return widths.length > 0 ? widths : [[...heading].length * 10];
}

const cardHeight = ({ head, rows }: Card): number => (head.length + rows.length) * ROW_HEIGHT + 2 * CARD_PADDING;

const heightOf = (cards: readonly Card[]): number => sum(cards.map((card) => cardHeight(card) + CARD_GAP));

function drawCard({ card, x, y, widths }: PlacedCard): string {
  const width = sum(widths);
  const rows = [...card.head, ...card.rows].map((row, i) =>
    drawRow(row, x, rowY(y, i), widths, i < card.head.length && i === 0 ? card.colour : undefined),
  );
  const ruleY = y + CARD_PADDING / 2 + card.head.length * ROW_HEIGHT + 4;
  const rule =
    card.head.length > 0 && card.rows.length > 0
      ? `<path stroke="${card.colour}" d="M${x} ${ruleY}H${x + width}"/>\n`
      : '';
  return `<g class="node">
<rect fill="${colour('card')}" stroke="${card.colour}" stroke-width="1.5" x="${x}" y="${y}" width="${width}" height="${cardHeight(card)}" rx="8"/>
${rule}${rows.join('')}</g>
`;
}

/** Returns the baseline of the text in the i-th row of a card. */
const rowY = (top: number, i: number): number => top + CARD_PADDING + i * ROW_HEIGHT + 15;

/**
 * Draws a row. If it has fewer cells than columns, the first cell spans several columns. The last cell is aligned to the
 * right.
 */
function drawRow({ cells }: Row, x: number, y: number, widths: readonly number[], titleColour?: string): string {
  const span = widths.length - cells.length + 1;
  return cells
    .map((cell, i) => {
      const own = i === 0 ? titleColour : undefined;
      if (i > 0 && i === cells.length - 1) return textAt(cell, x + sum(widths) - 8, y, '', own, true);
      return textAt(cell, x + (i === 0 ? 0 : sum(widths.slice(0, i + span - 1))) + 8, y, '', own);
    })
    .join('');
}

function textAt(
  { text, mono = false, bold = false, colour: role = 'ink' }: Cell,
  x: number,
  y: number,
  more = '',
  own?: string,
  atEnd = false,
): string {
  if (text === '') return '';
  const names = `${mono ? 'mono' : ''}${bold ? 'bold' : ''}${more}`.trim();
  return `<text${names && ` class="${names}"`}${atEnd ? ' text-anchor="end"' : ''} fill="${own ?? COLOURS[role].light}" x="${x}" y="${y}">${escapeMarkup(text)}</text>\n`;
}

/** Draws a curve with an arrow, from the right end of a row to the left end of another. */
function drawLine(
  { from, to, colour: stroke, dashed = false }: Line,
  [left, right]: readonly (readonly PlacedCard[])[],
): string {
  const start = rowEnd(left ?? [], from);
  const end = rowEnd(right ?? [], to);
  if (!start || !end) return '';
  const [x1, x2] = [start.x + start.width, end.x - ARROW];
  const middle = (x1 + x2) / 2;
  return `<g class="edge">
<path fill="none" stroke="${stroke}" stroke-width="1.5"${dashed ? ' stroke-dasharray="5 3"' : ''} d="M${x1} ${start.y}C${middle} ${start.y} ${middle} ${end.y} ${x2} ${end.y}"/>
<path fill="${stroke}" stroke="none" d="M${end.x} ${end.y}l${-ARROW} -3v6z"/>
</g>
`;
}

function rowEnd(
  cards: readonly PlacedCard[],
  [name, row]: readonly [card: string, row: string],
): { readonly x: number; readonly width: number; readonly y: number } | undefined {
  const placed = cards.find(({ card }) => card.name === name);
  if (!placed) return undefined;
  const i = rowIndex(placed.card, row);
  return i < 0 ? undefined : { x: placed.x, width: sum(placed.widths), y: rowY(placed.y, i) - 4 };
}
