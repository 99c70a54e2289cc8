/** Embeds the hook's script into the sources, so that every form of the program can install it: part of `npm run generate`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './repository.js';

const script = readFileSync(join(REPOSITORY, 'bin/vsmmu-qemu-hook'), 'utf8');
const folder = join(REPOSITORY, 'src/generated');
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, 'hook-script.ts'),
  `// Made from bin/vsmmu-qemu-hook by \`npm run generate\`: edit that file.\nexport const HOOK_TEMPLATE = ${JSON.stringify(script)};\n`,
);
