import { COMMANDS } from '../generated/commands.js';
import type { CommandEntry } from './command.js';

/** Finds the command at the start of a command line. Its name has one or two words, such as `batch convert`. */
export function findCommand(argv: readonly string[]): {
  readonly name: string;
  readonly entry: CommandEntry | undefined;
  readonly rest: readonly string[];
} {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    if (Object.hasOwn(COMMANDS, name)) return { name, entry: COMMANDS[name], rest: argv.slice(words) };
  }
  const [name = '', ...rest] = argv;
  return { name, entry: undefined, rest };
}

/** Returns the second words of the public commands that begin with this word. */
export function partsOf(name: string): readonly string[] {
  return Object.entries(COMMANDS).flatMap(([each, { internal }]) =>
    each.startsWith(`${name} `) && !internal ? [each.slice(name.length + 1)] : [],
  );
}
