/** Writes the tables of the README: `npm run docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './tables.js';

const README = new URL('../README.md', import.meta.url);
writeFileSync(README, withTables(readFileSync(README, 'utf8')));
