import type { Target } from '../domain/target.js';
import type { FolderSource, LibvirtSource, RunEntry, Settings } from '../generated/journal.js';
import type { Host } from '../host/host.js';

/** The domains to convert, and how to convert them. It stays the same when a run is resumed. */
export interface Batch {
  readonly source: LibvirtSource | FolderSource;
  readonly settings: Settings;
  /** The host that the domains are for; undefined if a map names one per domain. */
  readonly host: Host | undefined;
  readonly target: Target;
}

/** Returns the first entry of a run's journal. */
export function headerOf({ source, settings }: Batch): RunEntry {
  return { event: 'run', at: new Date().toISOString(), version: 1, source, settings };
}
