/** Writes the parts of the schemas about vSMMU attributes from the table in `src/domain/vsmmu-attributes.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  CHOSEN_ATTRIBUTES,
  describeRange,
  infoOf,
  spellingsOf,
  type ValueRange,
  VSMMU_ATTRIBUTES,
  VSMMU_DIALECTS,
} from '../src/domain/vsmmu-attributes.js';

/** A generated part of a schema: the text between `after` and the next `before`. The search starts at `within`. */
interface Part {
  readonly file: string;
  readonly within: string;
  readonly after: string;
  readonly before: string;
  readonly text: string;
}

/** Formats properties as the formatter does: a property with several keys has one line per key. */
function properties(indent: number, all: readonly (readonly [name: string, schema: object])[]): string {
  const space = ' '.repeat(indent);
  const written = all.map(([name, schema]) => {
    if (Object.keys(schema).length === 1) return `${space}"${name}": ${inline(schema)}`;
    const lines = Object.entries(schema).map(([key, value]) => `${space}  "${key}": ${inline(value)}`);
    return `${space}"${name}": {\n${lines.join(',\n')}\n${space}}`;
  });
  return written.join(',\n');
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, each]) => `"${key}": ${inline(each)}`)
    .join(', ')} }`;
}

/** Returns the schema of an attribute's value. */
function typed(values: ValueRange): object {
  if (values === 'switch') return { enum: ['on', 'off'] };
  return 'from' in values ? { type: 'integer', minimum: values.from, maximum: values.to } : { enum: values };
}

/** Returns the schema of an attribute's value or `auto`. */
function chosen(values: ValueRange): object {
  if (values === 'switch') return { enum: ['auto', 'on', 'off'] };
  return 'from' in values ? { anyOf: [{ const: 'auto' }, typed(values)] } : { enum: ['auto', ...values] };
}

/** Returns the schema of the host SMMU's feature for an attribute. */
function feature(values: ValueRange): object {
  return values === 'switch' ? { type: 'boolean' } : typed(values);
}

const PARTS: readonly Part[] = [
  {
    file: 'policy',
    within: '"hugePages": {',
    after: '\n    },\n',
    before: ',\n    "hook": {',
    text: properties(
      4,
      CHOSEN_ATTRIBUTES.map((name) => {
        const { values, meaning } = infoOf(name);
        const range = values === 'switch' ? '' : `, ${describeRange(values)}`;
        const description = `${meaning}${range}. auto: the profile's value, or else what QEMU reads from the host.`;
        return [name, { description, ...chosen(values), default: 'auto' }];
      }),
    ),
  },
  {
    file: 'profiles',
    within: '"values": {',
    after: '"properties": {\n',
    before: '\n          }',
    text: properties(
      12,
      CHOSEN_ATTRIBUTES.map((name) => [
        name,
        { description: `${infoOf(name).meaning}.`, ...typed(infoOf(name).values) },
      ]),
    ),
  },
  {
    file: 'topology',
    within: '"SmmuFeatures": {',
    after: '"properties": {\n',
    before: '\n      }\n',
    text: properties(
      8,
      VSMMU_ATTRIBUTES.map((name) => {
        const { meaning, host, values } = infoOf(name);
        return [host.feature, { description: `${meaning}.`, ...feature(host.values ?? values) }];
      }),
    ),
  },
  {
    file: 'plan',
    within: '"VsmmuValues": {',
    after: '"properties": {\n',
    before: '\n      }\n',
    text: properties(
      8,
      VSMMU_ATTRIBUTES.map((name) => [name, { description: `${infoOf(name).meaning}.`, type: 'string' }]),
    ),
  },
  {
    file: 'plan',
    within: '"dialect": {',
    after: '"enum": ',
    before: '\n',
    text: inline(VSMMU_DIALECTS),
  },
  {
    file: 'metadata',
    within: '"pciBus": {',
    after: '\n        },\n',
    before: ',\n        "pcihole64": {',
    text: properties(
      8,
      VSMMU_ATTRIBUTES.flatMap(spellingsOf).map((name) => [name, { $ref: '#/definitions/Value' }]),
    ),
  },
];

for (const { file, within, after, before, text } of PARTS) {
  const url = new URL(`${file}.schema.json`, import.meta.url);
  const schema = readFileSync(url, 'utf8');
  const start = schema.indexOf(after, schema.indexOf(within)) + after.length;
  const written = schema.slice(0, start) + text + schema.slice(schema.indexOf(before, start));
  JSON.parse(written);
  if (written !== schema) writeFileSync(url, written);
}
