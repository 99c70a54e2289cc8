import type { Command } from '../command.js';
import { print } from '../io/terminal.js';

export const command: Command = {
  usage: 'complete -- WORD...',
  internal: true,
  summary: 'print the possible next words of a command line; the completion scripts call this',
  options: {},
  examples: [['$0 complete -- rewrite --gr', '']],
  run,
};

/** Prints one candidate per line, its description after a tab. */
async function run(operands: readonly string[]): Promise<void> {
  // Loaded only when needed: completion.js loads the list of commands, which includes this command.
  const { complete, domainNames } = await import('../completion.js');
  const { candidates, paths } = await complete(operands, domainNames);
  const lines = candidates.map(({ value, description }) => (description ? `${value}\t${description}` : value));
  if (paths) lines.push(`:${paths}`);
  print(lines.map((line) => `${line}\n`).join(''));
}
