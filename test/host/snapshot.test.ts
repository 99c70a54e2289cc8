import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiagnosedError, InputError } from '../../src/diagnostics/errors.js';
import type { Bdf } from '../../src/domain/address.js';
import type { Topology } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import { scanHost } from '../../src/host/scan.js';
import { readTopology, serializeTopology } from '../../src/host/snapshot.js';
import { arbitraryHost } from './arbitrary.js';
import { unpackHost } from './fixture.js';

const hostA = scanHost(unpackHost('host-a'));

/** The only diagnostic for a text that is not a topology. */
function complaint(text: string): { code: string; message: string; file?: string; location?: unknown } {
  try {
    readTopology(text, 'host.json');
  } catch (error) {
    if (error instanceof InputError && error.diagnostics[0]) return error.diagnostics[0];
    throw error;
  }
  throw new Error('it was accepted');
}

/** Host A's snapshot after a change that makes it invalid. */
function changed(change: (topology: Mutable<Topology>) => void): string {
  const topology = structuredClone(hostA.topology) as Mutable<Topology>;
  change(topology);
  return JSON.stringify(topology);
}

const at = <T>(list: readonly T[], index: number): T => {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
};

/** A topology that a test may change. */
type Mutable<T> = T extends string | number ? T : { -readonly [Key in keyof T]: Mutable<T[Key]> };

describe('a snapshot', () => {
  it('is read as the same host', () => {
    expect(readTopology(serializeTopology(hostA), 'host.json').topology).toEqual(hostA.topology);
  });

  it('is read as the same host, for random hosts', () => {
    fc.assert(
      fc.property(arbitraryHost, (host) => {
        expect(readTopology(serializeTopology(host), 'host.json').topology).toEqual(host.topology);
      }),
    );
  });

  it('has the same meaning in any order of its lists', () => {
    fc.assert(
      fc.property(arbitraryHost, (host) => {
        const { smmus, devices, nodes } = host.topology;
        const reversed: Topology = {
          version: 1,
          smmus: smmus.toReversed(),
          devices: devices.toReversed(),
          nodes: nodes.toReversed().map((node) => ({ ...node, distances: node.distances.toReversed() })),
        };
        expect(readTopology(serializeTopology(new Host(reversed)), 'host.json').topology).toEqual(host.topology);
      }),
    );
  });

  it('is found in the document that --json prints', () => {
    const document = JSON.stringify({ changed: false, diagnostics: [], topology: hostA.topology });
    expect(readTopology(document, 'host.json').topology).toEqual(hostA.topology);
  });

  it('may name its schema', () => {
    const text = JSON.stringify({ $schema: '../topology.schema.json', ...hostA.topology });
    expect(readTopology(text, 'host.json').topology).toEqual(hostA.topology);
  });

  it.each<[title: string, text: string, message: string]>([
    ['an empty file', '', 'not JSON: Unexpected end of JSON input'],
    ['a text that is not JSON', 'smmus: []', "not JSON: Unexpected token 's'"],
    ['another document', '{"plan": {}}', '/: must have "version"'],
    ['a list', '[]', '/: must be object'],
    ['a future version', '{"version":2,"smmus":[],"devices":[],"nodes":[]}', '/version: must be 1, not 2'],
    ['a document with a broken topology', '{"topology": {}}', '/topology: must have "version"'],
  ])('refuses %s', (_, text, message) => {
    expect(complaint(text)).toMatchObject({ code: 'topology-invalid', file: 'host.json', message });
  });

  it('is refused with the line of the first JSON error', () => {
    expect(complaint('{\n  "version": 1\n  "smmus": []\n}')).toMatchObject({
      message: "not JSON: Expected ',' or '}' after property value",
      location: { line: 3, column: 3 },
    });
  });

  it.each<[title: string, change: (topology: Mutable<Topology>) => void, message: RegExp]>([
    [
      'an invalid address',
      (t) => (at(t.devices, 3).bdf = '0000:00:20.0' as Bdf),
      /^\/devices\/3\/bdf: must match pattern .*, not "0000:00:20.0"$/,
    ],
    [
      'an address in upper case',
      (t) => (at(t.devices, 3).bdf = '000A:00:00.0' as Bdf),
      /^\/devices\/3\/bdf: must match pattern/,
    ],
    [
      'an address with superfluous digits in the PCI domain',
      (t) => (at(t.devices, 3).bdf = '00000:00:00.0' as Bdf),
      /^\/devices\/3\/bdf: must match pattern/,
    ],
    ['an SMMU that is not an SMMUv3', (t) => (at(t.smmus, 0).name = 'dmar0'), /^\/smmus\/0\/name: must match pattern/],
    [
      'an unknown property',
      (t) => Object.assign(at(t.devices, 0), { speed: 5 }),
      /^\/devices\/0: must not have "speed"$/,
    ],
    [
      'a missing property',
      (t) => Reflect.deleteProperty(at(t.devices, 0), 'group'),
      /^\/devices\/0: must have "group"$/,
    ],
    ['a negative node', (t) => (at(t.devices, 0).node = -1), /^\/devices\/0\/node: must be >= 0, not -1$/],
    [
      'a BAR of an odd width',
      (t) => Object.assign(at(at(t.devices, 6).bars, 0), { bits: 48 }),
      /^\/devices\/6\/bars\/0\/bits: must be one of 32, 64, not 48$/,
    ],
    ['a device twice', (t) => t.devices.push(at(t.devices, 0)), /^\/devices\/34\/bdf: 0000:00:00.0 occurs twice$/],
    ['an SMMU twice', (t) => t.smmus.push(at(t.smmus, 0)), /^\/smmus\/5\/name: smmu3.0x000000000c000000 occurs twice$/],
    ['a node twice', (t) => t.nodes.push(at(t.nodes, 1)), /^\/nodes\/4\/id: 1 occurs twice$/],
    [
      'a device behind a missing SMMU',
      (t) => (at(t.devices, 7).smmu = 'smmu3.0x1'),
      /^\/devices\/7\/smmu: "smmu3.0x1" is not in smmus$/,
    ],
    [
      'a device below a missing bridge',
      (t) => (at(t.devices, 9).parent = '0000:aa:00.0' as Bdf),
      /^\/devices\/9\/parent: 0000:aa:00.0 is not a bridge in devices$/,
    ],
    [
      'a device below an endpoint',
      (t) => (at(t.devices, 9).parent = '0000:31:00.0' as Bdf),
      /^\/devices\/9\/parent: 0000:31:00.0 is not a bridge in devices$/,
    ],
    [
      'a bridge below itself',
      (t) => (at(t.devices, 7).parent = '0000:10:00.0' as Bdf),
      /^\/devices\/7\/parent: 0000:10:00.0 is below itself$/,
    ],
    [
      'a group behind two SMMUs',
      (t) => (at(t.devices, 10).smmu = at(t.smmus, 3).name),
      /^\/devices\/10\/smmu: 0000:11:00.0 is also in IOMMU group 2, but behind smmu3.0x000000000c000000$/,
    ],
    [
      'distances to only some of the nodes',
      (t) => at(t.nodes, 2).distances.pop(),
      /^\/nodes\/2\/distances: must have 4 items, one for each node$/,
    ],
  ])('refuses %s', (_, change, message) => {
    expect(complaint(changed(change)).message).toMatch(message);
  });

  it('is read or refused with a diagnostic, whatever its text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(() => readTopology(text, 'host.json')).toThrow(DiagnosedError);
      }),
    );
  });
});
