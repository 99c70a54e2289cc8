import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Plan } from '../generated/plan.js';

/**
 * What became of a domain. `convert`: it would be changed; `converted`: it was; `written`: its result is in the other
 * folder; `copied`: it is there as it was; `skipped`: it could be, and is left alone for a reason; `refused`: not possible on this host, or invalid;
 * `failed`: something outside went wrong with it.
 */
export type Verdict =
  | 'convert'
  | 'converted'
  | 'written'
  | 'copied'
  | 'unchanged'
  | 'not-applicable'
  | 'skipped'
  | 'refused'
  | 'failed'
  | 'restored';

/** How many of a domain's host devices are behind a vSMMU. */
export interface DeviceCount {
  readonly placed: number;
  readonly total: number;
}

/** The result of one domain of a batch, for reporting. */
export interface DomainResult {
  /** Its UUID, or its file's path below the folder. */
  readonly id: string;
  /** Its name; the path if it has none. */
  readonly name: string;
  /** The file that it is in, absolute; undefined for a libvirt's. */
  readonly file?: string | undefined;
  readonly verdict: Verdict;
  /** Why nothing was done, or nothing could be. */
  readonly why?: string | undefined;
  /** What it can do no longer. */
  readonly loses: readonly string[];
  /** The number of its host devices behind a vSMMU after the conversion; undefined if it was not planned. */
  readonly devices?: DeviceCount | undefined;
  /** It runs, and is another only from its next start on. */
  readonly running: boolean;
  readonly diagnostics: readonly Diagnostic[];
  /** Its text before and after, and the plan: where they were asked for. */
  readonly texts?: { readonly before: string; readonly after: string } | undefined;
  readonly plan?: Plan | undefined;
}

/** What of each domain is asked for, beside what becomes of it. */
export interface Wanted {
  readonly texts: boolean;
  readonly plans: boolean;
  /** All findings, those that are for information, too. */
  readonly details: boolean;
}

/** The verdicts that count as a failure of the batch. */
export function isFailure({ verdict }: Pick<DomainResult, 'verdict'>): boolean {
  return verdict === 'refused' || verdict === 'failed';
}

/** The verdicts of domains that something was done to, or would be. */
export function isChange({ verdict }: Pick<DomainResult, 'verdict'>): boolean {
  return CHANGES.has(verdict);
}

/** The verdicts of domains that were changed where they are, or would be. */
export function isChangedInPlace(verdict: Verdict): verdict is 'convert' | 'converted' | 'restored' {
  return verdict === 'convert' || verdict === 'converted' || verdict === 'restored';
}

const CHANGES: ReadonlySet<Verdict> = new Set(['convert', 'converted', 'written', 'copied', 'restored']);

/** How many domains met with each verdict. */
export type Totals = Readonly<Partial<Record<Verdict, number>>>;

/** Counts items as they come, after those of a part of the run that was before. */
export class Tally {
  readonly #counts: Map<Verdict, number>;
  #added = 0;
  #changed = false;

  constructor(before: Totals = {}) {
    this.#counts = new Map(Object.entries(before) as [Verdict, number][]);
  }

  add({ verdict }: DomainResult): void {
    this.#added++;
    this.#counts.set(verdict, (this.#counts.get(verdict) ?? 0) + 1);
    this.#changed ||= isChange({ verdict });
  }

  /** How many items were added. */
  get added(): number {
    return this.#added;
  }

  get totals(): Totals {
    return Object.fromEntries(this.#counts);
  }

  /** Whether an item that was added is of a change. */
  get changed(): boolean {
    return this.#changed;
  }

  get failed(): boolean {
    return [...this.#counts.keys()].some((verdict) => isFailure({ verdict }));
  }
}
