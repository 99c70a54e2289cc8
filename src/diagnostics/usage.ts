import { defineCases } from './diagnostic.js';

export const usage = defineCases('usage', {
  severity: 'error',
  messages: {
    excludes: (a: { option: string; other: string }) => `${a.option} and ${a.other} exclude each other`,
    requires: (a: { option: string; other: string }) => `${a.option} requires ${a.other}`,
    needs: (a: { option: string; needed: string }) => `${a.option} needs ${a.needed}`,
    onlyFiles: (a: { option: string; instead: string }) => `${a.option} works on files only; ${a.instead}`,
    belowFolder: (a: { option: string; folder: string }) => `${a.option} must not be inside ${a.folder}`,
    noOperand: (a: { command: string; operand: string }) => `${a.command} takes no operand: ${a.operand}`,
    takes: (a: { command: string; expected: string }) => `${a.command} takes ${a.expected}`,
    give: (a: { what: string }) => `give ${a.what}`,
    single: (a: { what: string; count: number }) => `expected one ${a.what}, found ${a.count}`,
    value: (a: { option: string; expected: string; value: string }) =>
      `${a.option} takes ${a.expected}, not ${a.value}`,
    overwrites: (a: { option: string; file: string; expected: string }) => ({
      message: `${a.option} would overwrite ${a.file}, which is not ${a.expected}`,
      hint: 'give another file, or remove that one',
    }),
    invalid: (a: { value: string; expected: string }) => `${a.value} is not ${a.expected}`,
    unknown: (a: { what: string; name: string }) => `there is no ${a.what} ${a.name}`,
    incomplete: (a: { command: string }) => `${a.command} needs a subcommand`,
    ambiguous: (a: { name: string; count: number }) => `the run changed ${a.count} domains called ${a.name}`,
    otherMachine: (a: { uri: string }) => `the devices of ${a.uri} are on another machine`,
    /** The parser of the command line found an error, which it describes. */
    unreadable: (a: { error: string }) => a.error,
  },
  hint: 'see vsmmu --help',
  meaning: 'the command line is wrong',
  why: `A command or an option is misspelt, lacks its value, or conflicts with another option. After --, every word is the name of a
    file or a domain.`,
  remedy: `See the help of the command.`,
  example: `vsmmu rewrite --help
vsmmu rewrite --diff -- --odd-name.xml`,
});
