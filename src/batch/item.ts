import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Plan } from '../generated/plan.js';

/**
 * The outcome for a domain. `convert`: it would be changed. `converted`: it was changed. `written`: its result was
 * written to the output folder. `copied`: it was written there unchanged. `skipped`: it was left unchanged for the
 * reason in `why`. `refused`: it is invalid or cannot be converted on this host. `failed`: an error outside vsmmu.
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
  /** The absolute path of its file; undefined for a domain of libvirt. */
  readonly file?: string | undefined;
  readonly verdict: Verdict;
  /** Why it was not or could not be converted. */
  readonly why?: string | undefined;
  /** The features that it loses in the conversion. */
  readonly loses: readonly string[];
  /** The number of its host devices behind a vSMMU after the conversion; undefined if it was not planned. */
  readonly devices?: DeviceCount | undefined;
  /** Whether it is running. Changes to a running domain take effect at its next start. */
  readonly running: boolean;
  readonly diagnostics: readonly Diagnostic[];
  /** Its text before and after, and the plan; only if requested. */
  readonly texts?: { readonly before: string; readonly after: string } | undefined;
  readonly plan?: Plan | undefined;
}

/** The optional parts of each result. */
export interface Wanted {
  readonly texts: boolean;
  readonly plans: boolean;
  /** All diagnostics, including notes. */
  readonly details: boolean;
}

/** Returns why a domain was not converted: the message of the first error, or else of the first diagnostic. */
export function whyOf(diagnostics: readonly Diagnostic[]): string {
  const first = diagnostics.find((d) => d.severity === 'error') ?? diagnostics[0];
  return first?.message ?? '';
}

/** Whether a verdict counts as a failure of the batch. */
export function isFailure({ verdict }: Pick<DomainResult, 'verdict'>): boolean {
  return verdict === 'refused' || verdict === 'failed';
}

/** Whether a domain was changed or written, or would be. */
function isChange({ verdict }: Pick<DomainResult, 'verdict'>): boolean {
  return CHANGES.has(verdict);
}

/** Whether a domain was changed in place, or would be. */
export function isChangedInPlace(verdict: Verdict): verdict is 'convert' | 'converted' | 'restored' {
  return verdict === 'convert' || verdict === 'converted' || verdict === 'restored';
}

const CHANGES: ReadonlySet<Verdict> = new Set(['convert', 'converted', 'written', 'copied', 'restored']);

/** The number of domains per verdict. */
export type Totals = Readonly<Partial<Record<Verdict, number>>>;

/** Counts results as they arrive, in addition to the totals of an earlier part of the run. */
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

  /** The number of results that were added. */
  get added(): number {
    return this.#added;
  }

  get totals(): Totals {
    return Object.fromEntries(this.#counts);
  }

  /** Whether any of the added results is a change. */
  get changed(): boolean {
    return this.#changed;
  }

  get failed(): boolean {
    return [...this.#counts.keys()].some((verdict) => isFailure({ verdict }));
  }
}
