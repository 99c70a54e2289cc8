import { escapeMarkup } from '../../escape.js';
import { darkRules } from './colours.js';

/** The class of every picture: its style reaches nothing else on a page, and is the same in all of them. */
const CLASS = 'vsmmu-picture';

/** Fonts as wide as those that Graphviz measured by. */
const FONTS = `.${CLASS} [font-family^="Helvetica"]{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}
.${CLASS} [font-family^="Courier"]{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono","Liberation Mono",monospace}`;

const STYLE = `<style>
.${CLASS}{max-width:100%;height:auto}
${FONTS}
@media (prefers-color-scheme:dark){${darkRules(CLASS)}}
</style>`;

/**
 * Draws DOT with Graphviz, compiled to WebAssembly and loaded only here. The SVG can be a file or stand in an HTML page,
 * several in one, too: it has no ids, and its style is its own.
 * @param title what it shows, for those who cannot see it
 */
export async function drawDot(dot: string, title: string): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  const viz = await instance();
  const drawn = viz.renderString(dot, { format: 'svg', engine: 'dot' });
  const body = drawn
    .slice(drawn.indexOf('<svg'))
    .replace(/<!--[\s\S]*?-->\n?/g, '')
    .replace(/<title>[\s\S]*?<\/title>\n?/g, '')
    .replace(/ id="[^"]*"/g, '');
  return body.replace(/^<svg([^>]*)>/, (_, attributes: string) => {
    return `<svg class="${CLASS}" role="img"${attributes}>\n<title>${escapeMarkup(title)}</title>\n${STYLE}`;
  });
}
