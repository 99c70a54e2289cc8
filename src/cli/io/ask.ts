import { printable } from '../../escape.js';
import { say } from './terminal.js';

/** Thrown on Ctrl-C at a prompt; the exit code is 130. */
export class InterruptedError extends Error {}

/**
 * Asks a yes/no question on the terminal; undefined without a terminal. Anything but yes means no.
 * @throws InterruptedError
 */
export async function confirm(question: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY) return undefined;
  // Loaded only here: every command loads this file, but few ask.
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interrupted = new Promise<never>((_, reject) => terminal.once('SIGINT', () => reject(new InterruptedError())));
  // The end of the input counts as no.
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([terminal.question(`${printable(question)} [y/N] `), ended, interrupted]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (error instanceof InterruptedError) say('\n');
    throw error;
  } finally {
    terminal.close();
  }
}
