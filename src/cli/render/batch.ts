import { relative } from 'node:path';
import { type DomainResult, isFailure, type Tally, type Verdict } from '../../batch/item.js';
import { printable } from '../../escape.js';
import { print, printJsonText, printPatch, say } from '../io/terminal.js';
import { isSet, type OptionValues } from '../options.js';
import { printDiagnostics } from '../report.js';
import type { Progress } from './progress.js';

/** Prints the result of each domain of a batch as it arrives, and keeps none of them. */
export interface BatchOutput {
  item(item: DomainResult): void;
  /** @param more what the document of --json says beside the domains */
  end(more: Readonly<Record<string, unknown>>): void;
}

/** What a verdict is called in a line of the table. */
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

/** The output that the options ask for. */
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

/** A line for each domain on standard output. */
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

/** A patch of all domains on standard output; the lines of the table go to standard error. */
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

/** The one document of --json, written as it goes: it may be of a hundred thousand domains. */
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

/** Writes lines where the bar is, if there is one. */
function beside(progress: Progress | undefined, write: () => void): void {
  if (progress) progress.aside(write);
  else write();
}

/** What a domain is called in the table: a file by its path below the folder, since names may be there twice. */
export const titleOf = ({ file, id, name }: DomainResult): string => (file === undefined ? name : id);

/** What its findings are said to be in, as compilers do it: a file by its path from here, if it is below. */
function placeOf({ file, name }: DomainResult): string {
  if (file === undefined) return name;
  const below = relative('', file);
  return below.startsWith('..') ? file : below;
}

/** What a row says of a domain beside its verdict. */
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

/** Warnings on standard error, and with --verbose all findings; why nothing came of a domain is in the table's line. */
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
