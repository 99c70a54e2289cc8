import type { DomainAccess } from '../../src/batch/libvirt.js';
import { EnvironmentError, InputError } from '../../src/diagnostics/errors.js';
import { domainUnknown, libvirtRefused } from '../../src/diagnostics/libvirt.js';
import type { DomainEntry, DomainUuid } from '../../src/libvirt/connection.js';

/** A domain that only exists in memory. */
export interface MemoryDomain extends Partial<Omit<DomainEntry, 'uuid' | 'name'>> {
  readonly name: string;
  xml: string;
  /** The snapshots that contain memory. */
  readonly memorySnapshots?: readonly string[];
}

/** Makes a UUID from a number. */
export const uuidOf = (n: number): DomainUuid =>
  `00000000-0000-0000-0000-${n.toString(16).padStart(12, '0')}` as DomainUuid;

/** A fake libvirt with domains in memory, for tests of the batch. test/lab uses a real libvirt. */
export class MemoryLibvirt implements DomainAccess {
  readonly domains: Map<DomainUuid, MemoryDomain>;
  readonly defined: { readonly xml: string; readonly validate: boolean | undefined }[] = [];
  closed = false;
  /** Returns the XML that is stored for a definition. */
  store = (xml: string): string => xml;
  /** Called before each dump, so that a test can change domains at that moment. */
  beforeDump: (uuid: DomainUuid) => void = () => undefined;

  constructor(...domains: readonly MemoryDomain[]) {
    this.domains = new Map(domains.map((domain, i) => [uuidOf(i + 1), domain]));
  }

  async list(): Promise<DomainEntry[]> {
    return [...this.domains].map(([uuid, { name, state, persistent, managedSave, snapshots }]) => ({
      uuid,
      name,
      state: state ?? 'shutoff',
      persistent: persistent ?? true,
      managedSave: managedSave ?? false,
      snapshots: snapshots ?? false,
    }));
  }

  async find(nameOrUuid: string): Promise<DomainEntry> {
    const found = (await this.list()).find(({ uuid, name }) => uuid === nameOrUuid || name === nameOrUuid);
    if (found) return found;
    throw new InputError(domainUnknown.libvirt({ uri: '', domain: nameOrUuid }));
  }

  async dumpXml(uuid: DomainUuid, options: { inactive?: boolean; security?: boolean } = {}): Promise<string> {
    if (!options.inactive || !options.security) throw new Error('not the whole domain as it starts next');
    this.beforeDump(uuid);
    const found = this.domains.get(uuid);
    if (found) return found.xml;
    throw new EnvironmentError(libvirtRefused.command({ command: 'dumpxml', error: 'failed to get domain' }));
  }

  async define(xml: string, { validate }: { readonly validate?: boolean } = {}): Promise<void> {
    this.defined.push({ xml, validate });
    const name = /<name>(.*?)<\/name>/.exec(xml)?.[1];
    const domain = [...this.domains.values()].find((each) => each.name === name);
    if (!domain) throw new Error(`no domain ${name}`);
    domain.xml = this.store(xml);
  }

  async snapshotsWithMemory(uuid: DomainUuid): Promise<string[]> {
    return [...(this.domains.get(uuid)?.memorySnapshots ?? [])];
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
