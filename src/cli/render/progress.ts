import { Presets, SingleBar } from 'cli-progress';
import { hasUtf8 } from '../io/locale.js';

/** The progress bar of a batch, on standard error, which must be a terminal. */
export class Progress {
  /** Whether to show only lines that need attention: others would scroll the bar away. */
  readonly onlyFailures: boolean;
  readonly #bar: SingleBar;
  readonly #begin = performance.now();
  #count = 0;

  /** @param total the number of domains */
  constructor(total: number, { onlyFailures }: { readonly onlyFailures: boolean }) {
    this.onlyFailures = onlyFailures;
    const format = '{bar} {value}/{total}  {rate} domains/s, {eta_formatted} left';
    this.#bar = new SingleBar(
      {
        stream: process.stderr,
        format,
        barsize: 30,
        hideCursor: true,
        clearOnComplete: true,
        forceRedraw: true,
        // The bar is truncated to the terminal's width; longer lines must wrap.
        linewrap: true,
      },
      hasUtf8() ? Presets.rect : Presets.legacy,
    );
    this.#bar.start(total, 0, { rate: '-' });
  }

  step(): void {
    this.#count++;
    const seconds = (performance.now() - this.#begin) / 1000;
    this.#bar.update(this.#count, { rate: Math.round(this.#count / seconds) });
  }

  /** Writes lines in place of the bar and redraws the bar below them. */
  aside(write: () => void): void {
    process.stderr.write('\r\u001b[K');
    write();
  }

  stop(): void {
    // cli-progress restores the cursor position that it saved at the start, which is some lines above by now. So the
    // current position is saved instead.
    process.stderr.write('\u001b7');
    this.#bar.stop();
  }
}
