/**
 * Writes src/generated/commands.ts: for each command in src/cli/commands, the properties that lists of commands show, and a
 * function that loads it. Part of `npm run generate`.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from '../../src/cli/command.js';
import { REPOSITORY } from './repository.js';

const folder = join(REPOSITORY, 'src/cli/commands');

const entries: string[] = [];
for (const file of readdirSync(folder).sort()) {
  const module = file.replace(/\.ts$/, '');
  const { command }: { command: Command } = await import(pathToFileURL(join(folder, file)).href);
  const { usage, summary, internal, examples } = command;
  const [name = ''] = /^[a-z-]+( [a-z]+)?/.exec(usage) ?? [];
  if (name.replace(' ', '-') !== module) throw new Error(`${file} defines the command ${name}`);
  const shown = JSON.stringify({ usage, summary, ...(internal && { internal }), example: examples[0] }).slice(1, -1);
  entries.push(
    `  '${name}': { ${shown}, load: async () => (await import('../cli/commands/${module}.js')).command },\n`,
  );
}
writeFileSync(
  join(REPOSITORY, 'src/generated/commands.ts'),
  `// Made from src/cli/commands by \`npm run generate\`.\nimport type { CommandTable } from '../cli/command.js';\n\nexport const COMMANDS: CommandTable = {\n${entries.join('')}};\n`,
);
