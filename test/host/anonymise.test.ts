import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { DiagnosedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { validate } from '../../src/generated/topology.validate.js';
import { anonymise } from '../../src/host/anonymise.js';
import type { Host } from '../../src/host/host.js';
import { readTopology, serializeTopology } from '../../src/host/snapshot.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { arbitraryHost } from './arbitrary.js';

const SAMPLES = new URL('../../samples/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, SAMPLES), 'utf8');
const hosts = readdirSync(new URL('hosts', SAMPLES));
const domains = readdirSync(new URL('domains', SAMPLES));

/** The plan for a domain and the codes of its diagnostics, or of those that refuse it. */
function outcome(domain: string, host: Host) {
  const codes = (diagnostics: readonly Diagnostic[]) => diagnostics.map(({ code, location }) => ({ code, location }));
  const policy = { ...DEFAULT_POLICY, completeGroups: true };
  try {
    const planned = plan(parseDomain(read(`domains/${domain}`)), host, policy);
    return { plan: planned.plan, codes: codes(planned.diagnostics) };
  } catch (error) {
    if (error instanceof DiagnosedError) return { codes: codes(error.diagnostics) };
    throw error;
  }
}

describe('an anonymised snapshot', () => {
  it.each(hosts.flatMap((host) => domains.map((domain) => [host, domain] as const)))(
    'of %s gives %s the same plan',
    (name, domain) => {
      const host = readTopology(read(`hosts/${name}`), name);
      expect(outcome(domain, anonymise(host))).toEqual(outcome(domain, host));
    },
  );

  it.each(hosts)('of %s has no name of the original', (name) => {
    const host = readTopology(read(`hosts/${name}`), name);
    const text = serializeTopology(anonymise(host));
    for (const { driver } of host.topology.devices) {
      if (driver !== null && driver !== 'vfio-pci') expect(text).not.toContain(`"${driver}"`);
    }
    // What is left is the vocabulary of the schema, numbers, addresses and the names of SMMUs, which are their addresses.
    const schema = readFileSync(new URL('../../schemas/topology.schema.json', import.meta.url), 'utf8');
    const data =
      /^(0x[0-9a-f]+(-0x[0-9a-f]+)?|smmu3\.0x[0-9a-f]+|[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|[0-9,-]*)$/;
    const words = [...text.matchAll(/"([^"]*)"/g)].flatMap(([quoted, word = '']) =>
      schema.includes(quoted) || data.test(word) ? [] : [word],
    );
    expect(words.filter((word) => word !== 'vfio-pci' && word !== 'host-driver')).toEqual([]);
  });

  it('is a valid snapshot, and equal to itself when it is anonymised again', () => {
    fc.assert(
      fc.property(arbitraryHost, (host) => {
        const once = anonymise(host);
        expect(validate(once.topology), JSON.stringify(validate.errors)).toBe(true);
        expect(anonymise(once).topology).toEqual(once.topology);
        const without = ({ topology }: Host) =>
          topology.devices.map(({ driver, ...device }) => [driver === null, device]);
        expect(without(once)).toEqual(without(host));
        expect({ ...once.topology, devices: [] }).toEqual({ ...host.topology, devices: [] });
      }),
    );
  });
});
