import type { ConvertSettings } from '../convert.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import { domainSaved, libvirtRefused } from '../diagnostics/libvirt.js';
import type { BeginEntry } from '../generated/journal.js';
import type { Host } from '../host/host.js';
import { type Connection, type DomainEntry, type DomainUuid, domainUuid } from '../libvirt/connection.js';
import { change, domainGoneError, type Store, settle } from './change.js';
import { type Conversion, convertXml, countDevices, failure, losses } from './conversion.js';
import { backupName, digestOf } from './digest.js';
import { exactlyOnce } from './exactly-once.js';
import { type DomainResult, type Verdict, type Wanted, whyOf } from './item.js';
import type { OpenRun } from './open-run.js';
import { inOrder } from './window.js';

/** The part of a libvirt connection that a batch uses. */
export type DomainAccess = Pick<Connection, 'list' | 'find' | 'dumpXml' | 'define' | 'snapshotsWithMemory' | 'close'>;

/** The libvirt domains to convert, and how to convert them. */
export interface LibvirtRun {
  /** Each has one virsh process, which runs one command at a time. */
  readonly connections: readonly DomainAccess[];
  readonly domains: readonly DomainEntry[];
  readonly host: Host;
  readonly settings: ConvertSettings;
  /** Whether to convert domains with saved memory, too. */
  readonly saved: boolean;
  /** The run with its journal; undefined for a dry run. */
  readonly apply: OpenRun | undefined;
  /** The changes that an earlier part of this run began and did not record as done, by UUID. */
  readonly inFlight: ReadonlyMap<string, BeginEntry>;
  readonly want: Wanted;
  /** Ends the run after the domains in progress. */
  readonly signal: AbortSignal;
}

/** Returns a store for the domains of a connection: their definitions for the next start, with passwords. */
export function libvirtStore(connection: DomainAccess): Store {
  return {
    async read(uuid) {
      const id = domainUuid(uuid);
      try {
        return await connection.dumpXml(id, { inactive: true, security: true });
      } catch (error) {
        if (isRefusal(error) && !(await isThere(connection, id))) return undefined;
        throw error;
      }
    },
    async write(_uuid, xml, validate) {
      await connection.define(xml.toString(), { validate });
      return [];
    },
  };
}

async function isThere(connection: DomainAccess, uuid: DomainUuid): Promise<boolean> {
  try {
    await connection.find(uuid);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/**
 * Converts libvirt domains and yields the result for each, in their order.
 * @throws EnvironmentError `libvirt-unreachable` if the connection is lost and libvirt does not return in time
 */
export async function* convertDomains(run: LibvirtRun): AsyncGenerator<DomainResult> {
  // Two domains per connection: vsmmu works on one while libvirt works on the other, so virsh always has a next
  // command.
  const free = [...run.connections, ...run.connections];
  const width = free.length;
  const work = async (entry: DomainEntry): Promise<DomainResult> => {
    const connection = free.pop();
    if (!connection) throw new TypeError('more at a time than there are connections');
    try {
      return await new OneDomain(run, connection, entry).convert();
    } finally {
      free.push(connection);
    }
  };
  const convertAll = (domains: AsyncIterable<DomainEntry>) => inOrder(domains, width, work, run.signal);
  yield* exactlyOnce(run.domains, ({ uuid }) => uuid, convertAll, run.signal);
}

class OneDomain {
  readonly #run: LibvirtRun;
  readonly #connection: DomainAccess;
  readonly #entry: DomainEntry;

  constructor(run: LibvirtRun, connection: DomainAccess, entry: DomainEntry) {
    this.#run = run;
    this.#connection = connection;
    this.#entry = entry;
  }

  async convert(): Promise<DomainResult> {
    return await settle(this.#run.apply?.journal, await this.#attempt());
  }

  async #attempt(): Promise<DomainResult> {
    const { uuid, persistent } = this.#entry;
    const { apply, settings, host, inFlight, want } = this.#run;
    if (!persistent) return { ...this.#item('skipped', []), why: 'it is transient, so it has no next start' };
    const store = libvirtStore(this.#connection);
    try {
      const before = await store.read(uuid);
      if (before === undefined) throw domainGoneError();
      const entry = inFlight.get(uuid);
      if (apply && entry && digestOf(before) === entry.after) {
        await apply.journal.append({ event: 'done', id: uuid, stored: entry.after });
        return this.#item('converted', []);
      }
      const conversion = convertXml(before, () => host, settings);
      const { verdict, after, plan } = conversion;
      const why = verdict === 'refused' || verdict === 'not-applicable' ? whyOf(conversion.diagnostics) : undefined;
      const item: DomainResult = {
        ...this.#item(verdict, conversion.diagnostics),
        why,
        loses: losses(conversion),
        devices: countDevices(conversion),
        texts: want.texts && after !== undefined ? { before: before.toString(), after } : undefined,
        plan: want.plans ? plan : undefined,
      };
      if (verdict !== 'convert' || after === undefined) return item;
      const saved = this.#run.saved ? [] : await this.#savedMemory();
      if (saved.length > 0) return this.#item('skipped', saved);
      if (!apply) return item;
      const remarks = await this.#change(store, before, after, apply);
      return { ...item, verdict: 'converted', diagnostics: [...item.diagnostics, ...remarks] };
    } catch (error) {
      return this.#item('failed', failure(error));
    }
  }

  async #change(
    store: Store,
    before: string | Uint8Array,
    text: string,
    apply: OpenRun,
  ): Promise<readonly Diagnostic[]> {
    const { host, settings } = this.#run;
    const { uuid: id, name } = this.#entry;
    const digest = digestOf(before);
    const backup = backupName(id, digest);
    await apply.run.keep(backup, before);
    const accepts = (stored: string | Uint8Array) => isConverted(convertXml(stored, () => host, settings));
    return await change(store, apply.journal, { id, name, before: digest, backup, text }, accepts);
  }

  /** Returns why its saved memory prevents the conversion; empty if it has none. */
  async #savedMemory(): Promise<readonly Diagnostic[]> {
    const { uuid, managedSave, snapshots } = this.#entry;
    if (managedSave) return [domainSaved.managedSave()];
    const names = snapshots ? await this.#connection.snapshotsWithMemory(uuid) : [];
    if (names.length === 0) return [];
    return [domainSaved.snapshots({ count: names.length })];
  }

  #item(verdict: Verdict, diagnostics: readonly Diagnostic[]): DomainResult {
    const { uuid, name, state } = this.#entry;
    const why = diagnostics.length > 0 ? whyOf(diagnostics) : undefined;
    const running = state !== 'shutoff';
    return { id: uuid, name, verdict, why, loses: [], running, diagnostics };
  }
}

/** Whether the XML as libvirt stored it needs no further change. */
function isConverted({ verdict }: Conversion): boolean {
  return verdict === 'unchanged';
}

function isRefusal(error: unknown): boolean {
  return error instanceof EnvironmentError && error.diagnostics.some(({ code }) => code === libvirtRefused.code);
}
