import { statSync } from 'node:fs';
import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { backUp, writeFile } from './io/files.js';
import { printMarkup, printPatch } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { type Located, printJson, report } from './report.js';
import type { Source } from './source.js';

/** A domain's text before and after. */
export interface Result {
  readonly source: Source;
  readonly before: string;
  readonly after: string;
  readonly diagnostics: readonly Located[];
}

/**
 * Returns the file that a command writes its result to; undefined for standard output and for libvirt.
 * @throws InputError `usage` if the options contradict each other
 */
export function outputFile(file: string, options: OptionValues): string | undefined {
  const output = value(options, 'output');
  const inPlace = isSet(options, 'in-place');
  const connected = options.connect !== undefined;
  const requires = (option: string, other: string) => new InputError(usage.requires({ option, other }));
  if (isSet(options, 'define') && !connected) throw requires('--define', '--connect');
  for (const name of ['yes', 'state']) {
    if (options[name] !== undefined && !isSet(options, 'define')) throw requires(`--${name}`, '--define');
  }
  if (!inPlace && options.backup !== undefined) throw requires('--backup', '--in-place');
  if (inPlace) {
    const option = '--in-place';
    const instead = 'use --define for a domain of libvirt';
    if (connected) throw new InputError(usage.onlyFiles({ option, instead }));
    if (file === '-') throw new InputError(usage.needs({ option, needed: 'a file' }));
    if (output !== undefined) throw new InputError(usage.excludes({ option, other: '--output' }));
  }
  return inPlace ? file : output === '-' ? undefined : output;
}

/**
 * Writes, defines or prints a result as the options ask, and reports its diagnostics. An unchanged file is not
 * rewritten.
 */
export async function deliver(target: string | undefined, result: Result, options: OptionValues): Promise<void> {
  const { source, before, after } = result;
  if (isSet(options, 'define')) {
    const { define } = await import('./define.js');
    return await define(source, result, options);
  }
  const diagnostics = [...result.diagnostics];
  const changed = after !== before;
  const suffix = value(options, 'backup');
  if (target !== undefined && (changed || target !== source.file)) {
    // XML from libvirt may contain passwords.
    const secret = source.uuid !== undefined && !statSync(target, { throwIfNoEntry: false });
    const inPlace = isSet(options, 'in-place');
    const written = [
      ...(suffix !== undefined && changed ? await backUp(target, source.input, suffix) : []),
      ...(await writeFile(target, after, {
        ...(secret && { mode: 0o600 }),
        ...(inPlace && { expected: source.input }),
      })),
    ];
    diagnostics.push(...written.map((d) => ({ file: target, ...d })));
  }
  // On a terminal the diagnostics would scroll away above a long diff.
  const diffFirst = isSet(options, 'diff') && !isSet(options, 'json') && process.stdout.isTTY;
  if (!diffFirst) report(diagnostics, options);
  if (isSet(options, 'json')) printJson({ changed, diagnostics, xml: after });
  else if (isSet(options, 'diff')) {
    const { unifiedDiff } = await import('./render/diff.js');
    printPatch(unifiedDiff(source.name, before, after));
  } else if (target === undefined) printMarkup(after);
  if (diffFirst) report(diagnostics, options);
}
