import { defineCases } from './diagnostic.js';

export const usage = defineCases('usage', {
  severity: 'error',
  messages: {
    excludes: (a: { option: string; other: string }) => `${a.option} and ${a.other} exclude each other`,
    requires: (a: { option: string; other: string }) => `${a.option} goes with ${a.other}`,
    noOperand: (a: { command: string; operand: string }) => `${a.command} takes no operand: ${a.operand}`,
    single: (a: { what: string; count: number }) => `one ${a.what} at a time, not ${a.count}`,
    value: (a: { option: string; expected: string; value: string }) =>
      `${a.option} takes ${a.expected}, not ${a.value}`,
    unknown: (a: { what: string; name: string }) => `there is no ${a.what} ${a.name}`,
    /** What only one command checks, as a clause. */
    problem: (a: { problem: string }) => a.problem,
  },
  hint: 'see vsmmu --help',
  meaning: 'the command line is wrong',
  why: `A command or an option is misspelt, lacks its value, or conflicts with another option. After --, every word is the name of a
    file or a domain.`,
  remedy: `See the help of the command.`,
  example: `vsmmu rewrite --help
vsmmu rewrite --diff -- --odd-name.xml`,
});
