/** The generated documents: the reference of policy keys, from their schema, and of diagnostics, from `src/diagnostics/`. */
import { BY_FILE } from '../src/diagnostics/codes.js';
import { policyKeys } from '../src/policy/policy.js';

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Returns a table in Markdown. */
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(...heads), row(...heads.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const POLICY_HEAD = `# Schemas and the policy

<!-- Written by npm run docs. -->

The TypeScript types of \`src/generated/\` are made from these JSON Schemas (\`npm run generate\`).

| schema | describes |
| --- | --- |
| [policy](policy.schema.json) | the policy file, see below |
| [topology](topology.schema.json) | the snapshot of a host: \`vsmmu topology --json\` writes it, \`--topology\` reads it |
| [plan](plan.schema.json) | the plan that \`vsmmu plan --json\` prints |
| [profiles](profiles.schema.json) | the defaults of known platforms, \`src/policy/profiles.json\` |
| [metadata](metadata.schema.json) | the record in a domain's \`<metadata>\`, which \`vsmmu revert\` reads |
| [journal](journal.schema.json) | a line of the journal of a batch |

## Policy

The policy is a JSON object in \`/etc/vsmmu/policy.json\`, or in the file that \`--policy\` names. Every key is optional; an unknown
key is an error. Each key has a command-line option, which wins over the file. [samples/policies](../samples/README.md#policies)
has examples.
`;

/** Returns the reference of policy keys and schemas, `schemas/README.md`. */
export function policyReference(): string {
  const rows = policyKeys().map(({ key, description, default: value }) => [
    `\`${key}\``,
    `\`--${kebab(key)}\``,
    `\`${JSON.stringify(value)}\``,
    description.replaceAll(/<[^>]*>/g, '`$&`'),
  ]);
  return `${POLICY_HEAD}\n${table(['key', 'option', 'default', 'meaning'], rows)}\n`;
}

const REFERENCE_HEAD = `# Diagnostics

<!-- Written by npm run docs. -->

A diagnostic is printed as \`file:line:column: severity: code: message; hint\`. \`vsmmu explain CODE\` prints the cause of a code,
its remedy and an example. An error means that nothing is written.

To add a diagnostic, define it in one of these files, call the definition where the problem is found, and run \`npm run docs\`.
`;

/** Returns the reference of diagnostics, `src/diagnostics/README.md`, with a table per file. */
export function diagnosticsReference(): string {
  const sections = BY_FILE.map(({ file, definitions }) => {
    const rows = definitions.map(({ code, info }) => [`\`${code}\``, info.severity, info.meaning]);
    return `## [${file}.ts](${file}.ts)\n\n${table(['code', 'severity', 'meaning'], rows)}\n`;
  });
  return [REFERENCE_HEAD, ...sections].join('\n');
}
