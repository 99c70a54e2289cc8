/**
 * The generated parts of the documentation: the table of the policy's keys in the README, from their schema, and the reference
 * of diagnostics, from `src/diagnostics/`.
 */
import { BY_FILE } from '../src/diagnostics/codes.js';
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

const REFERENCE_HEAD = `# Diagnostics

<!-- Written by npm run docs. -->

A diagnostic is printed as \`file:line:column: severity: code: message; hint\`. \`vsmmu explain CODE\` prints the cause of a code,
its remedy and an example. An error means that nothing is written.

To add a diagnostic, define it in one of these files, call the definition where the problem is found, and run \`npm run docs\`.
`;

/** The reference of diagnostics, \`src/diagnostics/README.md\`: a table per file. */
export function diagnosticsReference(): string {
  const sections = BY_FILE.map(({ file, definitions }) => {
    const rows = definitions.map(({ code, info }) => [`\`${code}\``, info.severity, info.meaning]);
    return `## [${file}.ts](${file}.ts)\n\n${table(['code', 'severity', 'meaning'], rows)}\n`;
  });
  return [REFERENCE_HEAD, ...sections].join('\n');
}
