/**
 * Compiles the JSON Schemas beside this file into code: `src/generated/*.ts` (types) and `src/generated/*.validate.js`
 * (ajv's validators), so that neither a copy of the types nor ajv's compiler is in what users start.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { compile } from 'json-schema-to-typescript';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = fileURLToPath(new URL('../src/generated/', import.meta.url));
mkdirSync(out, { recursive: true });

const BANNER = '// Made from schemas/ by `npm run generate`: edit the schema, not this file.';
const UNITS = [
  "import type { Bdf, BusNumber, ControllerIndex } from '../domain/address.js';",
  "import type { CellId, HostNode } from '../domain/numa.js';",
  "import type { KiB } from '../domain/size.js';",
].join('\n');

/** The schema without what only people read, so that validators do not carry it. */
const withoutDescriptions = (schema: object): object =>
  JSON.parse(
    JSON.stringify(schema, (key, value) => (key === 'description' && typeof value === 'string' ? undefined : value)),
  );

/** Makes all properties and arrays of generated types readonly, but for a plan's, which the planner fills step by step. */
const readonly = (types: string): string =>
  types
    .replace(/^((?:\w+|"[^"]+"|\[k: string\])\??: )/gm, 'readonly $1')
    .replace(/(\w+|\([^()]*\))\[\]/g, 'readonly $1[]');

for (const file of readdirSync(here).filter((f) => f.endsWith('.schema.json'))) {
  const name = file.replace('.schema.json', '');
  const schema = JSON.parse(readFileSync(here + file, 'utf8'));

  const types = await compile(structuredClone(schema), name, {
    bannerComment: `${BANNER}\n${UNITS}`,
    additionalProperties: false,
    format: false,
  });
  // A definition that is one of our units by `tsType` is imported, not declared again.
  writeFileSync(
    `${out}${name}.ts`,
    (name === 'plan' ? String : readonly)(types.replace(/\/\*\*\n(?: \*.*\n)+export type (\w+) = \1\n/g, '')),
  );

  const ajv = new Ajv({ allErrors: false, verbose: true, code: { source: true, esm: true, lines: true } });
  ajv.addKeyword('tsType');
  // ajv's counter of characters is CommonJS, which an ES module cannot load.
  const code = standalone
    .default(ajv, ajv.compile(withoutDescriptions(schema)))
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', '(text) => [...text].length');
  if (code.includes('require(')) throw new Error(`${file}: the validator is not an ES module`);
  writeFileSync(`${out}${name}.validate.js`, `${BANNER}\n${code}`);
  writeFileSync(
    `${out}${name}.validate.d.ts`,
    `${BANNER}\nimport type { ValidateFunction } from 'ajv';\nimport type { ${schema.title} } from './${name}.js';\n\nexport declare const validate: ValidateFunction<${schema.title}>;\n`,
  );
}
