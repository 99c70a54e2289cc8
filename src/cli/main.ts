import yargs, { type Argv, type Options } from 'yargs';
import { DiagnosedError, type Diagnostic, diagnostic, InputError, OutsideError } from '../diagnostics.js';
import { VERSION } from '../version.js';
import {
  flag,
  HOST_OPTIONS,
  isSet,
  type OptionValues,
  OUTPUT_OPTIONS,
  PARSER_CONFIGURATION,
  policyOptions,
  text,
} from './options.js';
import { applyStrictness, formatDiagnostic, printJson } from './report.js';

/** A command of the tool: its words for `--help`, its options, and how to load the code that runs it. */
interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly options: () => Readonly<Record<string, Options>>;
  readonly examples: readonly (readonly [line: string, what: string])[];
  readonly load: () => Promise<{ run(operands: readonly string[], options: OptionValues): Promise<void> }>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  topology: {
    usage: 'topology',
    summary: "print the host's SMMUs and what is behind each",
    options: () => ({ ...HOST_OPTIONS }),
    examples: [
      ['$0 topology', 'this host'],
      ['$0 topology --json > host.json', 'a snapshot of it, for --topology on another machine'],
    ],
    load: () => import('./topology.js'),
  },
  rewrite: {
    usage: 'rewrite [DOMAIN]',
    summary: 'print the domain with each host device behind the vSMMU of its SMMU',
    options: () => ({
      output: text('write to this file instead of standard output', { alias: 'o' }),
      'in-place': flag('write the result back to the file, in one step', { alias: 'i' }),
      backup: text('with --in-place: keep the old file under its name and this suffix'),
      diff: flag('print a unified diff instead of the domain'),
      ...HOST_OPTIONS,
      ...policyOptions(),
    }),
    examples: [
      ['virsh dumpxml --inactive vm | $0 rewrite > new.xml', 'for this host'],
      ['$0 rewrite --diff vm.xml', 'see what would change'],
      ['$0 rewrite -i --backup .orig vm.xml', 'change the file, keep the old one'],
      ['$0 rewrite --topology host.json vm.xml', 'for another host'],
    ],
    load: () => import('./rewrite.js'),
  },
  plan: {
    usage: 'plan [DOMAIN]',
    summary: 'print where each device would go and why, without writing anything',
    options: () => ({ ...HOST_OPTIONS, ...policyOptions() }),
    examples: [
      ['$0 plan vm.xml', 'a table'],
      ['$0 plan --json vm.xml', 'the plan as data'],
    ],
    load: () => import('./plan.js'),
  },
};

/**
 * Runs a command line and says how it ended: exit code 0 done, 1 the answer is no, 2 the input or the command line is
 * wrong, 3 the outside failed. A bug of ours throws.
 * @param argv the arguments after the program's name
 */
export async function main(argv: readonly string[]): Promise<number> {
  // Whatever follows `--` is an operand, whatever it looks like; yargs would read it once more.
  const end = argv.indexOf('--');
  const head = end < 0 ? argv : argv.slice(0, end);
  const tail = end < 0 ? [] : argv.slice(end + 1);
  let options: OptionValues = { json: head.includes('--json'), strict: head.includes('--strict') };
  let operands: readonly string[] = tail;
  let chosen: Command | undefined;
  try {
    const parser = makeParser((command) => {
      chosen = command;
    });
    const parsed = await parser.parseAsync([...head]);
    if (!chosen) {
      if (parsed.help || parsed.version) return 0;
      throw await unknownCommand(parsed._.map(String));
    }
    options = parsed;
    operands = [...parsed._.slice(1).map(String), ...tail];
    const { run } = await chosen.load();
    await run(operands, options);
    return 0;
  } catch (thrown) {
    const error = thrown instanceof UsageComplaint ? await usageError(thrown.message, chosen) : thrown;
    if (!(error instanceof DiagnosedError)) throw error;
    tell(error.diagnostics, operands, options);
    return error instanceof InputError ? 2 : error instanceof OutsideError ? 3 : 1;
  }
}

/** What yargs has to say of a command line, in its own words. */
class UsageComplaint extends Error {}

/** Its words in ours: the first option that is unknown, and the nearest that is not. */
async function usageError(complaint: string, command: Command | undefined): Promise<InputError> {
  const [, unknown] = /^Unknown arguments?: ([^,]+)/.exec(complaint) ?? [];
  if (unknown === undefined) return new InputError(diagnostic('usage', complaint.replaceAll('\n', ' ')));
  const dashes = unknown.length > 1 ? '--' : '-';
  const names = Object.keys({ ...command?.options(), ...OUTPUT_OPTIONS, help: {}, version: {} });
  return new InputError(
    diagnostic('usage', `there is no option ${dashes}${unknown}`, { hint: await suggestion(unknown, names, '--') }),
  );
}

async function unknownCommand([given]: readonly string[]): Promise<InputError> {
  if (given === undefined) return new InputError(diagnostic('usage', 'give a command'));
  const hint = await suggestion(given, Object.keys(COMMANDS), '');
  return new InputError(diagnostic('usage', `there is no command ${given}`, { hint }));
}

/** `did you mean --spare-ports?`, or undefined where nothing is near. */
async function suggestion(given: string, names: readonly string[], prefix: string): Promise<string | undefined> {
  const { closest, distance } = await import('fastest-levenshtein');
  const near = closest(given, names);
  return distance(given, near) <= Math.max(2, given.length / 3) ? `did you mean ${prefix}${near}?` : undefined;
}

function tell(found: readonly Diagnostic[], operands: readonly string[], options: OptionValues): void {
  const diagnostics = applyStrictness(found, options);
  const [file = '-'] = operands;
  const name = file === '-' ? '<stdin>' : file;
  const told = isSet(options, 'quiet') ? diagnostics.filter((d) => d.severity === 'error') : diagnostics;
  process.stderr.write(told.map((d) => formatDiagnostic(d, d.code === 'usage' ? 'vsmmu' : name)).join(''));
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics });
}

function makeParser(choose: (command: Command) => void): Argv {
  let parser = yargs()
    .scriptName('vsmmu')
    .usage('$0 COMMAND\n\nGives an Arm guest one virtual SMMUv3 for each SMMUv3 that its host devices are behind.')
    .parserConfiguration(PARSER_CONFIGURATION)
    .detectLocale(false)
    .help()
    .version(VERSION)
    .alias('help', 'h')
    .strictOptions()
    .exitProcess(false)
    .wrap(Math.min(100, process.stdout.columns ?? 80))
    .epilogue('DOMAIN is a file with the XML of a libvirt domain; - or nothing is standard input.')
    .fail((message, error) => {
      throw error ?? new UsageComplaint(message);
    });
  for (const command of Object.values(COMMANDS)) {
    const [name = ''] = command.usage.split(' ');
    parser = parser.command({
      command: name,
      describe: command.summary,
      builder: (y: Argv) => {
        y.usage(`$0 ${command.usage} [OPTION…]\n\n${command.summary}`);
        y.options({ ...command.options(), ...OUTPUT_OPTIONS });
        for (const [line, what] of command.examples) y.example(line, what);
        return y;
      },
      handler: () => choose(command),
    });
  }
  return parser;
}
