import { COMMANDS } from '../generated/commands.js';
import type { CommandEntry } from './command.js';

/** Finds the command that a command line begins with: of two words, such as `batch convert`, or of one. */
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

/** Returns the second words of the public commands that begin with this one. */
export function partsOf(name: string): readonly string[] {
  return Object.entries(COMMANDS).flatMap(([each, { internal }]) =>
    each.startsWith(`${name} `) && !internal ? [each.slice(name.length + 1)] : [],
  );
}
