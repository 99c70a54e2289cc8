import yargs, { type Argv } from 'yargs';
import { COMMANDS } from '../../generated/commands.js';
import type { CommandEntry } from '../command.js';
import { print } from '../io/terminal.js';

/** Prints the help of a command, of a group of commands such as `batch`, or of the whole tool if the name is neither. */
export async function printHelp(name: string): Promise<void> {
  const page = yargs()
    .scriptName('vsmmu')
    .detectLocale(false)
    .help(false)
    .version(false)
    .wrap(Math.min(100, process.stdout.columns ?? 80));
  const command = Object.hasOwn(COMMANDS, name) ? await COMMANDS[name]?.load() : undefined;
  const commands = Object.entries(COMMANDS).flatMap(([each, found]) => (found.internal ? [] : [{ ...found, each }]));
  const group = commands.filter(({ each }) => each.startsWith(`${name} `));
  if (command) {
    page.usage([`$0 ${command.usage} [OPTION…]`, command.summary, ...(command.details ?? [])].join('\n\n'));
    page.options(command.options);
    for (const [line, what] of command.examples) page.example(line, what);
  } else if (group.length > 0) {
    page.usage(`$0 ${name} COMMAND [OPTION…]`);
    listCommands(page, group);
  } else {
    page.usage(
      '$0 COMMAND [OPTION…]\n\nGives an Arm guest one virtual SMMUv3 per physical SMMUv3 of its host devices.',
    );
    listCommands(page, commands);
    page.options({
      help: { type: 'boolean', alias: 'h', describe: 'print this help, or that of the command' },
      version: { type: 'boolean', describe: 'print the version' },
    });
  }
  if (command ? command.usage.includes('DOMAIN') && name !== 'verify' : group.length === 0) {
    page.epilogue(
      'DOMAIN is a file with the XML of a libvirt domain, or - for standard input, which is the default. With --connect, it is a name or a UUID.',
    );
  }
  print(`${await page.getHelp()}\n`);
}

/** Lists each command, and the first example of each. */
function listCommands(page: Argv, commands: readonly CommandEntry[]): void {
  for (const { usage, summary } of commands) page.command(usage, summary);
  for (const { example } of commands) page.example(...example);
}
