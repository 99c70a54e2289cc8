/**
 * Compiles the JSON Schemas in this folder into code: `src/generated/*.ts` (types) and `src/generated/*.validate.js` (ajv's
 * validators). This avoids a second copy of the types, and users do not load ajv's compiler.
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

/** Removes the descriptions, which are only for people, so that the validators do not contain them. */
const withoutDescriptions = (schema: object): object =>
  JSON.parse(
    JSON.stringify(schema, (key, value) => (key === 'description' && typeof value === 'string' ? undefined : value)),
  );

/** Makes all properties and arrays of generated types readonly. */
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
  // A definition whose `tsType` is one of the unit types is imported, not declared again.
  writeFileSync(`${out}${name}.ts`, readonly(types.replace(/\/\*\*\n(?: \*.*\n)+export type (\w+) = \1\n/g, '')));

  const ajv = new Ajv({ allErrors: false, verbose: true, code: { source: true, esm: true, lines: true } });
  ajv.addKeyword('tsType');
  // ajv's function that counts characters is CommonJS, which an ES module cannot load.
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
