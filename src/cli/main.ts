import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { DiagnosedError, InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { COMMANDS } from '../generated/commands.js';
import { VERSION } from '../version.js';
import type { Command } from './command.js';
import { type CommandLine, parseCommandLine, suggestion } from './command-line.js';
import { exitCodeOf } from './exit-code.js';
import { findCommand, partsOf } from './find-command.js';
import { InterruptedError } from './io/ask.js';
import { nameOfInput } from './io/files.js';
import { print } from './io/terminal.js';
import { isSet } from './options.js';
import { applyStrictness, printDiagnostics, printJson } from './report.js';

/**
 * Runs a command line and returns its exit code: 0 for success, 1 for a refusal or a negative answer, 2 if the input or
 * the command line is wrong, 3 for a failure outside vsmmu. A bug in vsmmu throws.
 * @param argv the arguments after the program's name
 */
export async function main(argv: readonly string[]): Promise<number> {
  // `vsmmu help batch` is `vsmmu batch --help`.
  const { name, entry, rest } = findCommand(argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv);
  const beforeOperands = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined);
  let command: Command | undefined;
  let line: CommandLine = { operands: [], options: { json: beforeOperands.includes('--json') } };
  try {
    if (name === '--version' || name === 'version') {
      print(`${VERSION}\n`);
    } else if (isHelp(name) || ((entry || partsOf(name).length > 0) && beforeOperands.some(isHelp))) {
      const { printHelp } = await import('./render/help.js');
      await printHelp(name);
    } else {
      if (!entry) throw await unknownCommand(name, rest[0]);
      command = await entry.load();
      line = await parseCommandLine(rest, command.options);
      return (await command.run(line.operands, line.options)) ?? 0;
    }
    return 0;
  } catch (error) {
    if (error instanceof InterruptedError) return 130;
    if (!(error instanceof DiagnosedError)) throw error;
    report(inCommand(error.diagnostics, command && name), line, command?.subject);
    return exitCodeOf(error);
  }
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

async function unknownCommand(name: string, part = ''): Promise<InputError> {
  if (name === '') return new InputError(usage.give({ what: 'a command' }));
  const parts = partsOf(name);
  if (parts.length > 0) {
    const near = part === '' ? undefined : await suggestion(part, parts, `${name} `);
    const hint = near ?? `give one of ${parts.join(', ')}`;
    if (part === '') return new InputError(usage.incomplete({ command: name, hint }));
    return new InputError(usage.unknown({ what: 'command', name: `${name} ${part}`, hint }));
  }
  const names = Object.entries(COMMANDS).flatMap(([each, { internal }]) => (internal ? [] : [each]));
  const hint = await suggestion(name, [...names, 'help', 'version'], '');
  return new InputError(usage.unknown({ what: 'command', name, hint }));
}

/** Makes usage errors refer to the help of the command, if there is one. */
function inCommand(found: readonly Diagnostic[], name: string | undefined): readonly Diagnostic[] {
  if (name === undefined) return found;
  const general = usage.info.hint;
  return found.map((d) =>
    d.code === usage.code && d.hint === general ? { ...d, hint: `see vsmmu ${name} --help` } : d,
  );
}

/** Prints why nothing was done: the errors, and with `--verbose` all other diagnostics. */
function report(
  found: readonly Diagnostic[],
  { operands: [file = '-'], options }: CommandLine,
  subject: string | undefined,
): void {
  const name = subject ?? (options.connect === undefined ? nameOfInput(file) : file);
  const diagnostics = applyStrictness(found, options).map((d) => ({
    file: d.code === usage.code ? 'vsmmu' : name,
    ...d,
  }));
  const shown = isSet(options, 'verbose') ? diagnostics : diagnostics.filter((d) => d.severity === 'error');
  printDiagnostics(shown);
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics });
}
