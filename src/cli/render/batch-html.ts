import { type DomainResult, isFailure, type Tally } from '../../batch/item.js';
import { EnvironmentError } from '../../diagnostics/errors.js';
import { fileUnwritable } from '../../diagnostics/files.js';
import { parseDomain } from '../../domain/domain.js';
import { escapeMarkup } from '../../escape.js';
import { drawPlan } from '../../guest/picture.js';
import { predictGuest } from '../../guest/predict.js';
import type { Host } from '../../host/host.js';
import { Draft } from '../../io/draft.js';
import { describeIoError } from '../../io/errors.js';
import { type Location, locate } from '../../io/folder.js';
import { remarksOf, summary, titleOf, WORDS } from './batch-rows.js';
import { PAGE_END, pageHead } from './page.js';

/** Explains the triangles. */
const LEGEND = '<p>Open a row with ▸ to see the diagnostics of the domain and a picture of its plan.</p>';

/**
 * The report of a batch as one self-contained HTML page: a row per domain, with its diagnostics and the picture of its
 * plan. It is written row by row to a temporary file, which replaces the report file when it is complete.
 */
export class HtmlReport implements Disposable {
  readonly #file: string;
  readonly #hostOf: (item: DomainResult) => Host | undefined;
  readonly #target: Location;
  readonly #draft: Draft;

  /**
   * @param hostOf returns the host whose devices the picture of a domain shows
   * @param facts facts about the run, by name
   * @throws EnvironmentError `file-unwritable`
   */
  constructor(file: string, hostOf: (item: DomainResult) => Host | undefined, facts: Readonly<Record<string, string>>) {
    this.#file = file;
    this.#hostOf = hostOf;
    this.#target = this.#attempt(() => locate(file));
    // Otherwise the report would replace a device or a pipe.
    this.#attempt(() => requireFile(this.#target));
    this.#draft = this.#attempt(() => new Draft(this.#target, 0o666));
    const rows = Object.entries(facts).map(([name, fact]) => `<dt>${name}</dt><dd>${escapeMarkup(fact)}</dd>`);
    this.#write(`${pageHead('vsmmu batch')}<dl>${rows.join('\n')}</dl>\n${LEGEND}\n`);
  }

  async item(item: DomainResult): Promise<void> {
    const { verdict, name, plan, diagnostics, texts } = item;
    const row = [
      `<span class="verdict">${WORDS[verdict]}</span>`,
      `<span class="name">${escapeMarkup(titleOf(item))}</span>`,
      `<span class="why">${escapeMarkup(remarksOf(item))}</span>`,
    ].join('');
    const host = plan?.changed ? this.#hostOf(item) : undefined;
    const picture =
      plan && host
        ? drawPlan(plan, host, { name, ...(texts && { guest: predictGuest(parseDomain(texts.after)) }) })
        : '';
    const findings = diagnostics.map((d) => `<li>${d.severity}: ${escapeMarkup(d.message)}</li>`).join('');
    const list = findings === '' ? '' : `<ul>${findings}</ul>`;
    const kind = isFailure(item) ? ' class="failure"' : '';
    this.#write(
      picture === '' && list === ''
        ? `<div class="row${isFailure(item) ? ' failure' : ''}">${row}</div>\n`
        : `<details${kind}><summary>${row}</summary>${list}${picture}</details>\n`,
    );
  }

  end(tally: Tally): void {
    this.#write(`<footer>${summary(tally)}</footer>\n${PAGE_END}`);
    this.#attempt(() => this.#draft.commit());
  }

  /** Removes an incomplete report. */
  [Symbol.dispose](): void {
    this.#draft[Symbol.dispose]();
    this.#target[Symbol.dispose]();
  }

  #write(text: string): void {
    this.#attempt(() => this.#draft.write(text));
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file: this.#file }));
    }
  }
}

function requireFile({ stats }: Location): void {
  if (stats && !stats.isFile()) throw new Error('it is not a regular file');
}
