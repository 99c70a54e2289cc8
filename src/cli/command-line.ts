import parse from 'yargs-parser';
import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import type { Options, OptionValues } from './options.js';

/** A parsed command line. */
export interface CommandLine {
  readonly operands: readonly string[];
  readonly options: OptionValues;
}

/** Values stay text (a version `11.10` is not a number), and an option does not take further arguments as values. */
const CONFIGURATION = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'greedy-arrays': false,
  'dot-notation': false,
  'boolean-negation': false,
  'camel-case-expansion': false,
  'strip-aliased': true,
} as const;

/**
 * Parses the arguments of a command with yargs's parser. Only `--help` loads yargs itself, which takes as long to load
 * as Node takes to start.
 * @throws InputError `usage` for an unknown option (suggests the nearest name), a missing value, or options that
 * exclude each other
 */
export async function parseCommandLine(argv: readonly string[], specs: Options): Promise<CommandLine> {
  // Everything after `--` is an operand.
  const end = argv.indexOf('--');
  const head = end < 0 ? argv : argv.slice(0, end);
  const tail = end < 0 ? [] : argv.slice(end + 1);

  const names = Object.keys(specs);
  const { argv: parsed, error } = parse.detailed([...head], {
    configuration: CONFIGURATION,
    string: names.filter((name) => specs[name]?.type === 'string'),
    boolean: names.filter((name) => specs[name]?.type === 'boolean'),
    alias: Object.fromEntries(names.flatMap((name) => (specs[name]?.alias ? [[name, [specs[name].alias]]] : []))),
    // Without `narg: 0`, a switch would take an operand called `true` as its value.
    narg: Object.fromEntries(names.map((name) => [name, specs[name]?.type === 'string' ? 1 : 0])),
  });
  if (error) throw new InputError(usage.unreadable({ error: error.message.replaceAll('\n', ' ') }));
  const { _: operands, ...given } = parsed;
  for (const name of Object.keys(given)) {
    if (!(name in specs)) throw await unknown(name, names);
    const other = specs[name]?.conflicts;
    if (other !== undefined && given[other] !== undefined) {
      throw new InputError(usage.excludes({ option: `--${name}`, other: `--${other}` }));
    }
  }
  return { operands: [...operands.map(String), ...tail], options: given };
}

async function unknown(name: string, names: readonly string[]): Promise<InputError> {
  const option = name.length > 1 ? `--${name}` : `-${name}`;
  return new InputError(usage.unknown({ what: 'option', name: option, hint: await suggestion(name, names, '--') }));
}

/** Returns `did you mean --spare-ports?`; undefined if no name is similar. */
export async function suggestion(given: string, names: readonly string[], prefix: string): Promise<string | undefined> {
  const { nearest } = await import('../nearest.js');
  const near = nearest(given, names);
  return near === undefined ? undefined : `did you mean ${prefix}${near}?`;
}
