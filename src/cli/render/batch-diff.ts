import { type DomainResult, isFailure } from '../../batch/item.js';
import { printPatch, say } from '../io/terminal.js';
import { isSet, type OptionValues } from '../options.js';
import { type BatchOutput, beside, type Differ, lineOf, reportFindings } from './batch-rows.js';
import type { Progress } from './progress.js';

/** Prints a patch of all domains on standard output, and the lines of the table on standard error. */
export class DiffOutput implements BatchOutput {
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
