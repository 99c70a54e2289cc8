import { topologyInvalid } from '../diagnostics/json.js';
import { compareBdf } from '../domain/address.js';
import type { NumaNode } from '../generated/topology.js';
import { validate } from '../generated/topology.validate.js';
import { checkJson, parseJson } from '../json.js';
import { checkConsistency } from './consistency.js';
import { compareSmmu, Host } from './host.js';

/**
 * The host of a snapshot, `text` being what the file `file` holds: a topology, or a document of `--json` with one in
 * its `topology`. Its lists may be in any order. Throws an InputError (`topology-invalid`) that names the path in it,
 * where it is no JSON, does not fit `schemas/topology.schema.json`, or tells of a host that cannot be.
 */
export function readTopology(text: string, file: string): Host {
  const value = parseJson(text, file, topologyInvalid);
  const [topology, path] = isDocument(value) ? [value.topology, '/topology'] : [value, ''];
  checkJson(topology, file, topologyInvalid, validate, { path });
  checkConsistency(topology, file, path);
  const { version, addressBits, smmus, devices, nodes } = topology;
  return new Host({
    version,
    ...(addressBits !== undefined && { addressBits }),
    smmus: smmus.toSorted(compareSmmu),
    devices: devices.toSorted((a, b) => compareBdf(a.bdf, b.bdf)),
    nodes: sortNodes(nodes),
  });
}

/** The snapshot of a host: JSON that people can read, the same for the same host, with a line end. */
export function serializeTopology(host: Host): string {
  return `${JSON.stringify(host.topology, null, 2)}\n`;
}

function isDocument(value: unknown): value is { topology: unknown } {
  return typeof value === 'object' && value !== null && 'topology' in value && !('version' in value);
}

/** Nodes by number; the columns of their distances move with them. */
function sortNodes(nodes: readonly NumaNode[]): NumaNode[] {
  const order = nodes.map((node, index) => ({ node, index })).sort((a, b) => a.node.id - b.node.id);
  return order.map(({ node }) => ({ ...node, distances: order.map(({ index }) => node.distances[index] ?? 0) }));
}
