/**
 * The tables of the README that are written elsewhere already: the policy's keys (its schema) and the codes of
 * diagnostics (`src/codes.ts`). `npm run docs` writes them between their markers.
 */
import { CODES } from '../src/codes.js';
import { policyKeys } from '../src/plan/policy.js';

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A table of Markdown. */
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(...heads), row(...heads.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The tables by the name that their markers have. */
const TABLES: Readonly<Record<string, () => string>> = {
  policy: () =>
    table(
      ['key', 'option', 'default', 'what it says'],
      policyKeys().map(({ key, description, default: value }) => [
        `\`${key}\``,
        `\`--${kebab(key)}\``,
        `\`${JSON.stringify(value)}\``,
        description,
      ]),
    ),
  codes: () =>
    table(
      ['code', 'severity', 'meaning'],
      Object.entries(CODES).map(([code, { severity, meaning }]) => [`\`${code}\``, severity, meaning]),
    ),
};

/**
 * A text of Markdown with its tables as they should be: each stands between `<!-- NAME: npm run docs -->` and
 * `<!-- NAME end -->`.
 * @throws Error where it lacks a marker
 */
export function withTables(markdown: string): string {
  return Object.entries(TABLES).reduce((text, [name, make]) => {
    const [before, rest] = split(text, `<!-- ${name}: npm run docs -->\n`);
    const [, after] = split(rest, `<!-- ${name} end -->`);
    return `${before}<!-- ${name}: npm run docs -->\n\n${make()}\n\n<!-- ${name} end -->${after}`;
  }, markdown);
}

function split(text: string, marker: string): [before: string, after: string] {
  const at = text.indexOf(marker);
  if (at < 0) throw new Error(`the README lacks the line ${marker.trim()}`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
