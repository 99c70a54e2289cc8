/** Embeds shell scripts into the sources, so that every build of the program contains them: part of `npm run generate`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './repository.js';

/** Maps a script to the generated module, and to the constant in that module. */
const SCRIPTS = {
  'bin/vsmmu-qemu-hook': ['hook-script', 'HOOK_TEMPLATE'],
  'src/guest/report.sh': ['guest-script', 'GUEST_SCRIPT'],
} as const;

const folder = join(REPOSITORY, 'src/generated');
mkdirSync(folder, { recursive: true });
for (const [file, [module, constant]] of Object.entries(SCRIPTS)) {
  const script = readFileSync(join(REPOSITORY, file), 'utf8');
  writeFileSync(
    join(folder, `${module}.ts`),
    `// Made from ${file} by \`npm run generate\`: edit that file.\nexport const ${constant} = ${JSON.stringify(script)};\n`,
  );
}
