import { diagnostic, InputError } from '../diagnostics.js';
import { backUp, nameOfInput, writeFile } from './files.js';
import { isSet, type OptionValues, value } from './options.js';
import { type Located, printJson, report } from './report.js';

/** A domain's text before and after. */
export interface Result {
  /** The bytes that came in. */
  readonly input: Uint8Array;
  readonly before: string;
  readonly after: string;
  readonly diagnostics: readonly Located[];
}

/**
 * The file that a command is to write its result to; none for standard output.
 * @throws InputError `usage` where the options contradict each other
 */
export function outputFile(file: string, options: OptionValues): string | undefined {
  const output = value(options, 'output');
  const inPlace = isSet(options, 'in-place');
  const wrong = (message: string) => new InputError(diagnostic('usage', message));
  if (inPlace && file === '-') throw wrong('--in-place needs a file; standard input cannot be written back');
  if (inPlace && output !== undefined) throw wrong('--in-place and --output exclude each other');
  if (!inPlace && options.backup !== undefined) throw wrong('--backup goes with --in-place');
  return inPlace ? file : output === '-' ? undefined : output;
}

/** Writes or prints a result as the options ask, and says what was found. A file that need not change is left alone. */
export async function deliver(
  file: string,
  target: string | undefined,
  { input, before, after, diagnostics }: Result,
  options: OptionValues,
): Promise<void> {
  const changed = after !== before;
  const suffix = value(options, 'backup');
  if (target !== undefined && (changed || target !== file)) {
    if (suffix !== undefined && changed) await backUp(file, input, suffix);
    await writeFile(target, after);
  }
  report(diagnostics, options);
  if (isSet(options, 'json')) printJson({ changed, diagnostics, xml: after });
  else if (isSet(options, 'diff')) {
    const { unifiedDiff } = await import('./diff.js');
    process.stdout.write(unifiedDiff(nameOfInput(file), before, after));
  } else if (target === undefined) process.stdout.write(after);
}
