import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { DiagnosedError, RefusedError } from '../diagnostics/errors.js';
import { backUp, writeFile } from './io/files.js';
import { printMarkup, printPatch } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { placeSource } from './place.js';
import type { Located } from './report.js';
import type { Source } from './source.js';

/** The result of `--fix` for a domain. */
export interface Fixed {
  /** Its new text; undefined if it is left unchanged. */
  readonly xml: string | undefined;
  /** Its diagnostics afterwards. */
  readonly diagnostics: readonly Located[];
}

/** Checks a domain. */
export type Examine = (source: Source) => readonly Located[];

/**
 * Rewrites a domain as `vsmmu rewrite --in-place` would, if that fixes one of its diagnostics. With `--diff`, it prints
 * the diff and writes nothing. A domain from standard input is printed on standard output, changed or not.
 */
export async function fix(source: Source, examine: Examine, options: OptionValues): Promise<Fixed> {
  const fixed = await rewriteIfBetter(source, examine, options);
  const before = Buffer.from(source.input).toString('utf8');
  const { xml: after = before } = fixed;
  if (isSet(options, 'diff')) {
    const { unifiedDiff } = await import('./render/diff.js');
    printPatch(unifiedDiff(source.name, before, after));
  } else if (source.file === '-') {
    if (!isSet(options, 'json')) printMarkup(after);
  } else if (source.file !== undefined && after !== before) {
    const suffix = value(options, 'backup');
    const written = [
      ...(suffix === undefined ? [] : await backUp(source.file, source.input, suffix)),
      ...(await writeFile(source.file, after, { expected: source.input })),
    ];
    return { ...fixed, diagnostics: [...fixed.diagnostics, ...written.map((d) => ({ file: source.name, ...d }))] };
  }
  return fixed;
}

async function rewriteIfBetter(source: Source, examine: Examine, options: OptionValues): Promise<Fixed> {
  const found = examine(source);
  const unchanged = { xml: undefined, diagnostics: found };
  const wrong = found.filter((d) => d.severity !== 'note');
  if (wrong.length === 0) return unchanged;
  try {
    const { xml } = await placeSource(source, options);
    const left = examine({ ...source, input: Buffer.from(xml) });
    const remaining = new Set(left.map(keyOf));
    return wrong.every((d) => remaining.has(keyOf(d))) ? unchanged : { xml, diagnostics: left };
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    const reported = new Set(found.map(keyOf));
    const unreported = error.diagnostics.filter((d) => d.severity === 'error' && !reported.has(keyOf(d)));
    // If vsmmu did not refuse the domain, the cause is elsewhere, for example in the policy.
    if (unreported.length > 0 && !(error instanceof RefusedError)) throw error;
    return { xml: undefined, diagnostics: [...found, ...unreported.map((d) => ({ file: source.name, ...d }))] };
  }
}

const keyOf = ({ code, message }: Diagnostic): string => `${code}: ${message}`;
