/** Writes the generated parts of the documentation: `npm run docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { diagnosticsReference, withTables } from './tables.js';

const README = new URL('../README.md', import.meta.url);
writeFileSync(README, withTables(readFileSync(README, 'utf8')));
writeFileSync(new URL('../src/diagnostics/README.md', import.meta.url), diagnosticsReference());
