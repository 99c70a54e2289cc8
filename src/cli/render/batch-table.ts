import { type DomainResult, isFailure } from '../../batch/item.js';
import { print } from '../io/terminal.js';
import type { OptionValues } from '../options.js';
import { type BatchOutput, beside, lineOf, reportFindings } from './batch-rows.js';
import type { Progress } from './progress.js';

/** Prints a line per domain on standard output. */
export class TableOutput implements BatchOutput {
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
