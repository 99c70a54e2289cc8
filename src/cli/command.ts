import type { OptionSpec, OptionValues } from './options.js';

/** A command. Each file in `commands/` exports one, and `src/generated/commands.ts` lists them. */
export interface Command {
  /** Its name and operands. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs for its help and its man page: what a user needs to know beyond the options. */
  readonly details?: readonly string[];
  /** Called only by programs: it is not in any list of commands. */
  readonly internal?: true;
  /** The subject of diagnostics without a file. Default: the first operand, which is the domain. */
  readonly subject?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Runs the command. A command that can end with an exit code other than 0 without an error returns the code. */
  run(operands: readonly string[], options: OptionValues): Promise<void> | Promise<number>;
}

/** The part of a command that is shown in lists of commands, and how to load the rest. */
export interface CommandEntry extends Pick<Command, 'usage' | 'summary' | 'internal'> {
  /** The first example. */
  readonly example: Command['examples'][number];
  load(): Promise<Command>;
}

/** All commands by name. */
export type CommandTable = Readonly<Record<string, CommandEntry>>;
