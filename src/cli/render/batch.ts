import { relative } from 'node:path';
import { type DomainResult, isFailure, type Tally, type Verdict } from '../../batch/item.js';
import { printable } from '../../escape.js';
import { print, printJsonText, printPatch, say } from '../io/terminal.js';
import { isSet, type OptionValues } from '../options.js';
import { printDiagnostics } from '../report.js';
import type { Progress } from './progress.js';

/** Prints the result of each domain of a batch as it arrives, and stores none of them. */
export interface BatchOutput {
  item(item: DomainResult): void;
  /** @param more further properties of the JSON document */
  end(more: Readonly<Record<string, unknown>>): void;
}

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

/** Returns the output that the options ask for. */
export async function openOutput(options: OptionValues, progress: Progress | undefined): Promise<BatchOutput> {
  if (isSet(options, 'json')) return new JsonOutput(await differ(options));
  if (isSet(options, 'diff')) return new DiffOutput(await differ(options), options, progress);
  return new TableOutput(options, progress);
}

type Differ = (item: DomainResult) => string | undefined;

async function differ(options: OptionValues): Promise<Differ> {
  if (!isSet(options, 'diff')) return () => undefined;
  const { unifiedDiff } = await import('./diff.js');
  return ({ id, texts }) => texts && unifiedDiff(id, texts.before, texts.after);
}

/** Prints a line per domain on standard output. */
class TableOutput implements BatchOutput {
  readonly #options: OptionValues;
  readonly #progress: Progress | undefined;

  constructor(options: OptionValues, progress: Progress | undefined) {
    this.#options = options;
    this.#progress = progress;
  }

  item(item: DomainResult): void {
    beside(this.#progress, () => {
      reportFindings(item, this.#options);
      if (!this.#progress?.onlyFailures || isFailure(item)) print(`${lineOf(item)}\n`);
    });
  }

  end(): void {
    // The summary is on standard error.
  }
}

/** Prints a patch of all domains on standard output, and the lines of the table on standard error. */
class DiffOutput implements BatchOutput {
  readonly #differ: Differ;
  readonly #options: OptionValues;
  readonly #progress: Progress | undefined;

  constructor(differ: Differ, options: OptionValues, progress: Progress | undefined) {
    this.#differ = differ;
    this.#options = options;
    this.#progress = progress;
  }

  item(item: DomainResult): void {
    beside(this.#progress, () => {
      reportFindings(item, this.#options);
      if (!isSet(this.#options, 'quiet') || isFailure(item)) say(`${lineOf(item)}\n`);
      printPatch(this.#differ(item) ?? '');
    });
  }

  end(): void {
    // The summary is on standard error.
  }
}

/** Prints the JSON document domain by domain: there may be a hundred thousand of them. */
class JsonOutput implements BatchOutput {
  readonly #differ: Differ;
  #first = true;

  constructor(differ: Differ) {
    this.#differ = differ;
    printJsonText('{\n  "domains": [');
  }

  item(item: DomainResult): void {
    const { id, name, verdict, why, loses, devices, running, diagnostics } = item;
    const diff = this.#differ(item);
    const document = { id, name, verdict, why, loses, devices, running, diagnostics, diff };
    printJsonText(`${this.#first ? '' : ','}\n    ${JSON.stringify(document)}`);
    this.#first = false;
  }

  end(more: Readonly<Record<string, unknown>>): void {
    const rest = JSON.stringify(more, null, 2).replace(/^\{/, '');
    printJsonText(`${this.#first ? '' : '\n  '}],${rest}\n`);
  }
}

/** Writes lines in place of the progress bar, if there is one. */
function beside(progress: Progress | undefined, write: () => void): void {
  if (progress) progress.aside(write);
  else write();
}

/** Returns the title of a domain in the table; for a file, its path below the folder, since names need not be unique. */
export const titleOf = ({ file, id, name }: DomainResult): string => (file === undefined ? name : id);

/**
 * Returns the file name for diagnostics of a domain: relative to the working directory if the file is below it, as
 * compilers print it.
 */
function placeOf({ file, name }: DomainResult): string {
  if (file === undefined) return name;
  const below = relative('', file);
  return below.startsWith('..') ? file : below;
}

/** Returns what a row shows after the verdict. */
export function remarksOf({ verdict, why, loses, devices, running }: DomainResult): string {
  return [
    ...(why === undefined ? [] : [why]),
    ...(devices && devices.placed < devices.total ? [`${devices.placed} of ${devices.total} placed`] : []),
    ...(loses.length > 0 ? [`no more ${loses.join(', ')}`] : []),
    ...(running && (verdict === 'convert' || verdict === 'converted') ? ['from its next start on'] : []),
  ].join('; ');
}

function lineOf(item: DomainResult): string {
  const verdict = WORDS[item.verdict].padEnd(14);
  return printable(`${verdict}  ${titleOf(item).padEnd(24)}  ${remarksOf(item)}`.trimEnd());
}

/**
 * Prints warnings on standard error, with --verbose all diagnostics. Why a domain was not converted is in the table
 * instead.
 */
function reportFindings(item: DomainResult, options: OptionValues): void {
  const { verdict, diagnostics } = item;
  if (isSet(options, 'quiet')) return;
  const shown = diagnostics.filter(
    (d) =>
      isSet(options, 'verbose') ||
      (d.severity === 'warning' ? verdict !== 'skipped' : d.severity === 'error' && verdict === 'converted'),
  );
  printDiagnostics(shown.map((d) => ({ file: placeOf(item), ...d })));
}

/** `300 domains: 230 converted, 40 not applicable, 30 refused`. */
export function summary(tally: Tally): string {
  const totals = Object.entries(tally.totals) as [Verdict, number][];
  const count = totals.reduce((sum, [, each]) => sum + each, 0);
  const parts = totals.map(([verdict, each]) => `${each} ${WORDS[verdict]}`);
  return `${count} ${count === 1 ? 'domain' : 'domains'}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}
