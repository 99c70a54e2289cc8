/**
 * A colour on a light page and on a dark page. Each role has its own light colour, because style rules find the dark colour
 * by it.
 */
interface Colour {
  readonly light: string;
  readonly dark: string;
}

/** Colours of everything that does not belong to an SMMU. */
export const COLOURS = {
  paper: { light: '#ffffff', dark: '#0d1117' },
  card: { light: '#fefefe', dark: '#151b23' },
  ink: { light: '#1f2328', dark: '#e6edf3' },
  faint: { light: '#59636e', dark: '#9198a1' },
  warn: { light: '#9a6700', dark: '#d29922' },
} as const satisfies Record<string, Colour>;

/** The colours of SMMUs, in this order, repeated; neighbours differ for colour-blind readers too. */
const HUES: readonly Colour[] = [
  { light: '#0969da', dark: '#58a6ff' },
  { light: '#bc4c00', dark: '#f0883e' },
  { light: '#1a7f5a', dark: '#3fb98a' },
  { light: '#8250df', dark: '#bc8cff' },
  { light: '#bf3989', dark: '#f778ba' },
  { light: '#5f6b00', dark: '#b5c142' },
  { light: '#0f7b8a', dark: '#39c5cf' },
  { light: '#a40e26', dark: '#ff7b72' },
];

/** Returns a role's colour on a light page. */
export function colour(role: keyof typeof COLOURS): string {
  return COLOURS[role].light;
}

/** Returns the colour of the n-th SMMU on a light page. */
export function hue(n: number): string {
  return HUES[n % HUES.length]?.light ?? COLOURS.ink.light;
}

/** Returns style rules that replace the light colours with the dark ones inside elements of this class. */
export function darkRules(className: string): string {
  return [...Object.values(COLOURS), ...HUES]
    .map(
      ({ light, dark }) =>
        `.${className} [fill="${light}"]{fill:${dark}}.${className} [stroke="${light}"]{stroke:${dark}}`,
    )
    .join('');
}
