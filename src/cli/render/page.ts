/** Returns the beginning of a self-contained HTML page. The pictures in it bring their own light and dark colours. */
export function pageHead(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
summary, .row { display: flex; gap: 1rem; padding: .35rem 0; border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
summary { cursor: pointer; }
summary::before { content: '▸'; } [open] > summary::before { content: '▾'; } .row::before { content: '\\2003'; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; } dd { margin: 0; overflow-wrap: anywhere; }
.verdict { flex: 0 0 7rem; font-weight: 600; }
.name { flex: 0 0 16rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace; }
.failure .verdict { color: light-dark(#b3261e, #ff8a80); }
.why { color: color-mix(in srgb, currentColor 75%, transparent); }
table { border-collapse: collapse; margin: 1rem 0; } th, td { text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
ul { margin: .25rem 0 .75rem; } svg { max-width: 100%; height: auto; }
footer { margin-top: 2rem; font-weight: 600; }
</style>
</head>
<body>
<h1>${title}</h1>
`;
}

/** The end of the page. */
export const PAGE_END = '</body>\n</html>\n';
