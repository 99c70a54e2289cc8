import { relative } from 'node:path';
import type { DomainResult, Tally, Verdict } from '../../batch/item.js';
import { printable } from '../../escape.js';
import { isSet, type OptionValues } from '../options.js';
import { printDiagnostics } from '../report.js';
import type { Progress } from './progress.js';

/** Prints the result of each domain of a batch as it arrives, and stores none of them. */
export interface BatchOutput {
  item(item: DomainResult): void;
  /** @param more further properties of the JSON document */
  end(more: Readonly<Record<string, unknown>>): void;
}

/** Returns the unified diff of a domain, or undefined without `--diff`. */
export type Differ = (item: DomainResult) => string | undefined;

/** The word for each verdict in the table. */
export const WORDS: Readonly<Record<Verdict, string>> = {
  convert: 'convert',
  converted: 'converted',
  written: 'written',
  copied: 'copied',
  unchanged: 'unchanged',
  'not-applicable': 'not applicable',
  skipped: 'skipped',
  refused: 'refused',
  failed: 'failed',
  restored: 'restored',
};

/** Writes lines in place of the progress bar, if there is one. */
export function beside(progress: Progress | undefined, write: () => void): void {
  if (progress) progress.aside(write);
  else write();
}

/** Returns the title of a domain in the table; for a file, its path below the folder, since names need not be unique. */
export const titleOf = ({ file, id, name }: DomainResult): string => (file === undefined ? name : id);

/**
 * Returns the file name for diagnostics of a domain: relative to the working directory if the file is below it, as
 * compilers print it.
 */
function fileOf({ file, name }: DomainResult): string {
  if (file === undefined) return name;
  const below = relative('', file);
  return below.startsWith('..') ? file : below;
}

/** Returns what a row shows after the verdict. */
export function remarksOf({ verdict, why, loses, devices, running }: DomainResult): string {
  return [
    ...(why === undefined ? [] : [why]),
    ...(devices && devices.placed < devices.total ? [`${devices.placed} of ${devices.total} placed`] : []),
    ...(loses.length > 0 ? [`no longer possible: ${loses.join(', ')}`] : []),
    ...(running && (verdict === 'convert' || verdict === 'converted') ? ['takes effect at its next start'] : []),
  ].join('; ');
}

/** Returns the row of a domain in the table. */
export function lineOf(item: DomainResult): string {
  const verdict = WORDS[item.verdict].padEnd(14);
  return printable(`${verdict}  ${titleOf(item).padEnd(24)}  ${remarksOf(item)}`.trimEnd());
}

/**
 * Prints warnings on standard error, or all diagnostics with --verbose. The table shows why a domain was not converted.
 */
export function reportFindings(item: DomainResult, options: OptionValues): void {
  const { verdict, diagnostics } = item;
  if (isSet(options, 'quiet')) return;
  const shown = diagnostics.filter(
    (d) =>
      isSet(options, 'verbose') ||
      (d.severity === 'warning' ? verdict !== 'skipped' : d.severity === 'error' && verdict === 'converted'),
  );
  printDiagnostics(shown.map((d) => ({ file: fileOf(item), ...d })));
}

/** `300 domains: 230 converted, 40 not applicable, 30 refused`. */
export function summary(tally: Tally): string {
  const totals = Object.entries(tally.totals) as [Verdict, number][];
  const count = totals.reduce((sum, [, each]) => sum + each, 0);
  const parts = totals.map(([verdict, each]) => `${each} ${WORDS[verdict]}`);
  return `${count} ${count === 1 ? 'domain' : 'domains'}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}
