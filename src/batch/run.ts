import type { ConvertSettings } from '../convert.js';
import type { FolderSource, LibvirtSource } from '../generated/journal.js';
import { NO_HOST } from '../host/host.js';
import { type DomainEntry, openLibvirt } from '../libvirt/connection.js';
import { type Policy, policyWithDefaults } from '../policy/policy.js';
import type { Batch } from './batch.js';
import { domainGoneError } from './change.js';
import { convertFolder } from './folder.js';
import { type History, inFlight, settledIds } from './history.js';
import { type DomainResult, type Wanted, whyOf } from './item.js';
import { convertDomains, type DomainAccess } from './libvirt.js';
import type { Lock } from './lock.js';
import type { OpenRun } from './open-run.js';

/** Options that may differ when a run is resumed. */
export interface BatchOptions {
  readonly jobs: number;
  readonly want: Wanted;
  /** Whether the first failure ends the run. If so, fewer domains are in progress at a time. */
  readonly failFast: boolean;
  /** Ends the run after the domains in progress. */
  readonly signal: AbortSignal;
}

/** Returns the settings for converting a domain. */
function convertSettings({ settings, target }: Batch): ConvertSettings {
  const { policy, forceTcg, strict } = settings;
  return { policy: policyWithDefaults(policy as Partial<Policy>), target, forceTcg, strict };
}

/** Runs a batch of files. @param open undefined for a dry run, which only reports */
export function runFolder(
  batch: Batch & { readonly source: FolderSource },
  { jobs, want, failFast, signal }: BatchOptions,
  open: OpenRun | undefined,
): AsyncGenerator<DomainResult> {
  const { source, host } = batch;
  const history = open?.history;
  return convertFolder({
    task: {
      in: source.in,
      out: open ? (source.out ?? undefined) : undefined,
      run: open && source.out === null ? open.run.path : undefined,
      settings: convertSettings(batch),
      hosts: source.map === null ? { topology: (host ?? NO_HOST).topology } : { map: source.map },
      want,
    },
    jobs,
    failFast,
    journal: open?.journal,
    settled: history ? settledIds(history) : new Set(),
    inFlight: history ? inFlight(history) : new Map(),
    signal,
  });
}

/** Connections to one libvirt, for running a batch on its domains. */
export class LibvirtBatch implements AsyncDisposable {
  readonly #first: DomainAccess;

  constructor(readonly connections: readonly [DomainAccess, ...DomainAccess[]]) {
    [this.#first] = connections;
  }

  /** @param lock passed on to virsh, so that it stays locked if a `define` outlives this process */
  static open(uri: string, jobs: number, lock?: Lock): LibvirtBatch {
    const open = (): DomainAccess => openLibvirt(uri, { held: lock?.file });
    return new LibvirtBatch([open(), ...Array.from({ length: jobs - 1 }, open)]);
  }

  /** Returns the domains with these names or UUIDs, or all; each domain only once. @throws InputError `domain-unknown` */
  async select(names: readonly string[] | 'all'): Promise<readonly DomainEntry[]> {
    const all = await this.#first.list();
    if (names === 'all') return all;
    const wanted = new Set<string>();
    for (const name of names) wanted.add((await this.#first.find(name)).uuid);
    return all.filter(({ uuid }) => wanted.has(uuid));
  }

  /** Converts domains. @param open undefined for a dry run, which only reports */
  async *run(
    batch: Batch & { readonly source: LibvirtSource },
    domains: readonly DomainEntry[],
    { want, signal }: BatchOptions,
    open: OpenRun | undefined,
  ): AsyncGenerator<DomainResult> {
    const history = open?.history;
    yield* convertDomains({
      connections: this.connections,
      domains,
      host: batch.host ?? NO_HOST,
      settings: convertSettings(batch),
      saved: batch.settings.saved,
      apply: open,
      inFlight: history ? inFlight(history) : new Map(),
      want,
      signal,
    });
  }

  /** Returns the domains of a run that are still to be processed, and results for those that no longer exist. */
  async remaining(
    history: History,
  ): Promise<{ readonly domains: readonly DomainEntry[]; readonly gone: readonly DomainResult[] }> {
    const settled = settledIds(history);
    const left = new Map([...history.listed].filter(([id]) => !settled.has(id)));
    const all = await this.#first.list();
    const domains = all.filter(({ uuid }) => left.delete(uuid));
    const gone = [...left].map(([id, name]) => domainGoneResult(id, name));
    return { domains, gone };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.close()));
  }
}

function domainGoneResult(id: string, name: string): DomainResult {
  const { diagnostics } = domainGoneError();
  return { id, name, verdict: 'failed', why: whyOf(diagnostics), loses: [], running: false, diagnostics };
}
