import yargs from 'yargs';
import { COMMANDS, type Command } from './commands.js';
import { print } from './io/terminal.js';

/** Prints what `--help` is to say of a command, or of the whole tool. */
export async function printHelp(command: Command | undefined): Promise<void> {
  const page = yargs()
    .scriptName('vsmmu')
    .detectLocale(false)
    .help(false)
    .version(false)
    .wrap(Math.min(100, process.stdout.columns ?? 80));
  if (command) {
    page.usage(`$0 ${command.usage} [OPTION…]\n\n${command.summary}`).options(command.options());
    for (const [line, what] of command.examples) page.example(line, what);
  } else {
    page.usage(
      '$0 COMMAND [OPTION…]\n\nGives an Arm guest one virtual SMMUv3 for each SMMUv3 that its host devices are behind.',
    );
    for (const { usage, summary, internal } of Object.values(COMMANDS)) if (!internal) page.command(usage, summary);
    page.options({
      help: { type: 'boolean', alias: 'h', describe: 'say this; after a command, what it takes' },
      version: { type: 'boolean', describe: 'print the version' },
    });
    for (const { examples, internal } of Object.values(COMMANDS)) {
      if (internal) continue;
      for (const [line, what] of examples.slice(0, 1)) page.example(line, what);
    }
  }
  page.epilogue('DOMAIN is a file with the XML of a libvirt domain; - or nothing is standard input.');
  print(`${await page.getHelp()}\n`);
}
