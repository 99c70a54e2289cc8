import { topologyInvalid } from '../diagnostics/json.js';
import { compareBdf } from '../domain/address.js';
import type { NumaNode } from '../generated/topology.js';
import { validate } from '../generated/topology.validate.js';
import { checkJson, parseJson } from '../json.js';
import { checkConsistency } from './consistency.js';
import { compareSmmu, Host } from './host.js';

/**
 * Reads a host from a snapshot: a topology, or the output of a command with `--json`, which has one in `topology`. Its lists
 * can be in any order.
 * @param text the content of `file`
 * @throws InputError `topology-invalid`, with the path of the wrong value, if the text is not JSON, does not match
 * `schemas/topology.schema.json`, or describes an impossible host
 */
export function readTopology(text: string, file: string): Host {
  const value = parseJson(text, file, topologyInvalid);
  const [topology, path] = isDocument(value) ? [value.topology, '/topology'] : [value, ''];
  checkJson(topology, file, topologyInvalid, validate, { path });
  checkConsistency(topology, file, path);
  const { version, comment, addressBits, smmus, devices, nodes } = topology;
  return new Host({
    version,
    ...(comment !== undefined && { comment }),
    ...(addressBits !== undefined && { addressBits }),
    smmus: smmus.toSorted(compareSmmu),
    devices: devices.toSorted((a, b) => compareBdf(a.bdf, b.bdf)),
    nodes: sortNodes(nodes),
  });
}

/** Returns the snapshot of a host: indented JSON with a line end, which is always the same for the same host. */
export function serializeTopology(host: Host): string {
  return `${JSON.stringify(host.topology, null, 2)}\n`;
}

function isDocument(value: unknown): value is { topology: unknown } {
  return typeof value === 'object' && value !== null && 'topology' in value && !('version' in value);
}

/** Sorts nodes by number, and the columns of their distances in the same way. */
function sortNodes(nodes: readonly NumaNode[]): NumaNode[] {
  const order = nodes.map((node, index) => ({ node, index })).sort((a, b) => a.node.id - b.node.id);
  return order.map(({ node }) => ({ ...node, distances: order.map(({ index }) => node.distances[index] ?? 0) }));
}
