import { CODES } from '../codes.js';
import { type Diagnostic, RefusedError } from '../diagnostics.js';
import type { Domain } from '../domain/domain.js';
import { isSet, type OptionValues } from './options.js';

/** A finding that says which file it is in: the domain's, or another. */
export type Located = Diagnostic & { readonly file: string };

/** One finding as compilers print it: `file:line:column: severity: code: message; what to do`. */
export function formatDiagnostic(d: Located): string {
  const place = d.place ? `:${d.place.line}:${d.place.column}` : '';
  const hint = d.hint === undefined ? '' : `; ${d.hint}`;
  return `${printable(`${d.file}${place}: ${d.severity}: ${d.code}: ${d.message}${hint}`)}\n`;
}

/**
 * A text on one line, with what a terminal would act on, or turn the order of the text around by, made visible: names in a
 * domain are somebody else's words.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_C}\u2028\u2029]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Says on standard error what was found, as much of it as `--quiet` and `--verbose` ask for. */
export function report(diagnostics: readonly Located[], options: OptionValues): void {
  const told = diagnostics.filter((d) => {
    if (isSet(options, 'quiet')) return d.severity === 'error';
    return isSet(options, 'verbose') || !CODES[d.code].detail;
  });
  process.stderr.write(told.map(formatDiagnostic).join(''));
}

/** With `--strict`, warnings as errors. */
export function applyStrictness(diagnostics: readonly Diagnostic[], options: OptionValues): readonly Diagnostic[] {
  if (!isSet(options, 'strict')) return diagnostics;
  return diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
}

/** Makes findings say where they are: what is said of a domain as a whole is said of its first line. */
export type Locate = (found: readonly Diagnostic[]) => readonly Located[];

/**
 * How findings of a domain are told, as strictly as the options ask.
 * @param file what the domain is called
 */
export function located({ document }: Domain, file: string, options: OptionValues): Locate {
  const where = { file, place: document.place(document.root.start) };
  return (found) => applyStrictness(found, options).map((d) => ({ ...where, ...d }));
}

/**
 * What a step gives, with its findings located.
 * @throws RefusedError where one of them is an error
 */
export function refuseErrors<T extends { readonly diagnostics: readonly Diagnostic[] }>(
  locate: Locate,
  step: () => T,
): T & { readonly diagnostics: readonly Located[] } {
  try {
    const result = step();
    if (locate(result.diagnostics).some((d) => d.severity === 'error')) throw new RefusedError(result.diagnostics);
    return { ...result, diagnostics: locate(result.diagnostics) };
  } catch (error) {
    throw error instanceof RefusedError ? new RefusedError(locate(error.diagnostics)) : error;
  }
}

/** Prints the one document of `--json`. */
export function printJson(
  document: { changed: boolean; diagnostics: readonly Diagnostic[] } & Record<string, unknown>,
): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
