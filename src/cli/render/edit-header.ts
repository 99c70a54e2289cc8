import { formatDiagnostic, type Located } from '../report.js';

/** The first line of the comment at the top of a file being edited; it identifies the comment. */
const FIRST = '<!-- vsmmu edit:';

/** Puts a comment with these diagnostics at the top of a domain, after its XML declaration if it has one. */
export function withHeader(xml: string, diagnostics: readonly Located[]): string {
  const lines = diagnostics.map((d) => formatDiagnostic(d).trimEnd());
  // A comment must not contain `--`.
  const escaped = lines.map((line) => line.replaceAll(/-(?=-)|-$/g, '- '));
  const comment = [
    `${FIRST} rewritten for this host. vsmmu removes this comment when you save.`,
    ...escaped,
    '-->',
    '',
  ].join('\n');
  const at = declarationEnd(xml);
  return `${xml.slice(0, at)}${comment}${xml.slice(at)}`;
}

/** Removes the comment, even if the user edited it. */
export function withoutHeader(xml: string): string {
  const at = xml.indexOf(FIRST);
  if (at < 0 || xml.slice(declarationEnd(xml), at).trim() !== '') return xml;
  const end = xml.indexOf('-->', at);
  return end < 0 ? xml : xml.slice(0, at) + xml.slice(end + 3).replace(/^\r?\n/, '');
}

function declarationEnd(xml: string): number {
  return /^\uFEFF?<\?xml\b[^>]*\?>\s*/.exec(xml)?.[0].length ?? 0;
}
