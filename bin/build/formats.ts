/**
 * Writes src/generated/formats.ts: for each picture format in src/guest/formats, its summary, and a function that loads
 * it. Part of `npm run generate`.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PictureFormat } from '../../src/guest/picture/cards.js';
import { REPOSITORY } from './repository.js';

const folder = join(REPOSITORY, 'src/guest/formats');

const entries: string[] = [];
for (const file of readdirSync(folder).sort()) {
  const name = file.replace(/\.ts$/, '');
  const { format }: { format: PictureFormat } = await import(pathToFileURL(join(folder, file)).href);
  const load = `async () => (await import('../guest/formats/${name}.js')).format`;
  entries.push(`  ${name}: { summary: ${JSON.stringify(format.summary)}, load: ${load} },\n`);
}
writeFileSync(
  join(REPOSITORY, 'src/generated/formats.ts'),
  `// Made from src/guest/formats by \`npm run generate\`.\nimport type { FormatTable } from '../guest/picture/cards.js';\n\nexport const FORMATS: FormatTable = {\n${entries.join('')}};\n`,
);
