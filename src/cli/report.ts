import { deviceMoved } from '../diagnostics/devices.js';
import { type Diagnostic, warningsAsErrors } from '../diagnostics/diagnostic.js';
import { RefusedError } from '../diagnostics/errors.js';
import type { Domain } from '../domain/domain.js';
import { printable } from '../escape.js';
import { printJsonText, say } from './io/terminal.js';
import { isSet, type OptionValues } from './options.js';
import { colours } from './render/typeset.js';

/** A diagnostic with its file: the domain's, or another. */
export type Located = Diagnostic & { readonly file: string };

/** Formats a diagnostic as compilers do: `file:line:column: severity: code: message; what to do`. */
export function formatDiagnostic(d: Located, paint = (severity: string) => severity): string {
  const location = d.location ? `:${d.location.line}:${d.location.column}` : '';
  const hint = d.hint === undefined ? '' : `; ${d.hint}`;
  return `${printable(`${d.file}${location}: `)}${paint(`${d.severity}:`)}${printable(` ${d.code}: ${d.message}${hint}`)}\n`;
}

/** Prints diagnostics on standard error, on a terminal with coloured severities. */
export function printDiagnostics(diagnostics: readonly Located[]): void {
  const { red, yellow, cyan, bold } = colours(process.stderr);
  const paints = { error: red, warning: yellow, note: cyan };
  say(diagnostics.map((d) => formatDiagnostic(d, (text) => bold(paints[d.severity](text)))).join(''));
}

/** Prints the diagnostics that `--quiet` and `--verbose` select. */
export function report(diagnostics: readonly Located[], options: OptionValues): void {
  const shown = diagnostics.filter((d) => {
    if (isSet(options, 'quiet')) return d.severity === 'error';
    return isSet(options, 'verbose') || d.code !== deviceMoved.code;
  });
  printDiagnostics(shown);
}

/** Returns the diagnostics; with `--strict`, warnings are errors. */
export function applyStrictness(diagnostics: readonly Diagnostic[], options: OptionValues): readonly Diagnostic[] {
  return isSet(options, 'strict') ? warningsAsErrors(diagnostics) : diagnostics;
}

/** Adds file and location to diagnostics. A diagnostic of the whole domain gets the location of its first line. */
export type Locate = (found: readonly Diagnostic[]) => readonly Located[];

/**
 * Returns a function that adds file and location to diagnostics of a domain, and applies `--strict`.
 * @param file the name of the domain in diagnostics
 */
export function withFile({ document }: Domain, file: string, options: OptionValues): Locate {
  const where = { file, location: document.location(document.root.start) };
  return (found) => applyStrictness(found, options).map((d) => ({ ...where, ...d }));
}

/** Runs a step and returns its result with located diagnostics. @throws RefusedError if one of them is an error */
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

/** Prints the JSON document of `--json`. */
export function printJson(
  document: { changed: boolean; diagnostics: readonly Diagnostic[] } & Record<string, unknown>,
): void {
  printJsonText(`${JSON.stringify(document, null, 2)}\n`);
}
