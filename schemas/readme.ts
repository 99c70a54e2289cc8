/** Writes the generated documents: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { diagnosticsReference, policyReference } from './tables.js';

writeFileSync(new URL('README.md', import.meta.url), policyReference());
writeFileSync(new URL('../src/diagnostics/README.md', import.meta.url), diagnosticsReference());
