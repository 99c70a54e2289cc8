import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { hostUnknown } from '../diagnostics/batch.js';
import { InputError } from '../diagnostics/errors.js';
import { fileUnreadable } from '../diagnostics/files.js';
import { topologyMapInvalid } from '../diagnostics/json.js';
import type { Topology } from '../generated/topology.js';
import { Host } from '../host/host.js';
import { readTopology } from '../host/snapshot.js';
import { parseJson } from '../json.js';
import { wrapIoError } from './wrap-io-error.js';

/** The hosts of the domains: one topology for all, or a map file with a topology per domain. */
export type HostSource = { readonly topology: Topology } | { readonly map: string };

/** Finds the host of a domain by the path of its file below the folder, or else by its name. */
export type HostFinder = (path: string, name: string) => Host;

/** The number of hosts of a map that are kept in memory. */
const KEPT_HOSTS = 64;

/**
 * Returns a function that finds the host of a domain.
 * @throws InputError `topology-map-invalid`; EnvironmentError `file-unreadable`
 */
export function hostFinder(source: HostSource): HostFinder {
  if ('topology' in source) {
    const host = new Host(source.topology);
    return () => host;
  }
  const { map } = source;
  const files = readMap(map);
  const hosts = new Map<string, Host>();
  return (path, name) => {
    const file = files.get(path) ?? files.get(name) ?? files.get('*');
    if (file === undefined) {
      throw new InputError(hostUnknown({ domain: name || path, file: map }));
    }
    const known = hosts.get(file) ?? readHost(file);
    // `hosts` is in the order of use, so its first host is the least recently used one and is dropped.
    hosts.delete(file);
    hosts.set(file, known);
    const [oldest] = hosts.keys();
    if (hosts.size > KEPT_HOSTS && oldest !== undefined) hosts.delete(oldest);
    return known;
  };
}

/**
 * Reads a map of domains to hosts: a JSON object. A key is the domain's file below the folder, its name, or `*` for all
 * other domains. A value is the file of a topology, relative to the folder of the map.
 */
function readMap(file: string): ReadonlyMap<string, string> {
  const value = parseJson(
    wrapIoError(fileUnreadable, file, () => readFileSync(file, 'utf8')),
    file,
    topologyMapInvalid,
  );
  const wrong = (path: string, constraint: string) =>
    new InputError(topologyMapInvalid.misfit({ path, constraint, file }));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('', 'must be object');
  return new Map(
    Object.entries(value).map(([domain, topology]) => {
      if (typeof topology !== 'string') throw wrong(`/${domain}`, 'must be string');
      return [domain, resolve(dirname(file), topology)];
    }),
  );
}

function readHost(file: string): Host {
  return readTopology(
    wrapIoError(fileUnreadable, file, () => readFileSync(file, 'utf8')),
    file,
  );
}
