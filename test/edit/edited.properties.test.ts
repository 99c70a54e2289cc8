import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, RefusedError } from '../../src/diagnostics/errors.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { managedDevicesOf } from '../../src/edit/undo/record.js';
import { withoutExpanderBuses } from '../../src/edit/undo/relayout.js';
import { expanderBuses, revert } from '../../src/edit/undo/revert.js';
import type { Host } from '../../src/host/host.js';
import { plan } from '../../src/plan/plan.js';
import type { Policy } from '../../src/plan/policy.js';
import { applyChange, arbitraryCase, arbitraryStory } from '../plan/arbitrary.js';

/** How often each property is tried; `VSMMU_RUNS` hunts for longer. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 200);

function rewritten(xml: string, host: Host, policy: Policy): string | undefined {
  return unlessRefused(() => {
    const domain = parseDomain(xml);
    return rewrite(domain, plan(domain, host, policy, { ours: managedDevicesOf(domain) }).plan);
  });
}

function unlessRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof RefusedError || error instanceof InputError) return undefined;
    throw error;
  }
}

/** Edits by hand, beside adding and removing devices. */
const byHand: fc.Arbitrary<(xml: string) => string> = fc
  .record({ bus: fc.nat(40), index: fc.nat(3), kind: fc.constantFrom('on a port', 'port', 'port on bus', 'no alias') })
  .map(({ bus, index, kind }) => (xml: string) => {
    const { highestIndex } = new PciTree(parseDomain(xml));
    const free = highestIndex + 1 + index;
    const address = (on: number, slot: number) => `<address type='pci' bus='${on}' slot='${slot}' function='3'/>`;
    const port = (at: string) => `<controller type='pci' index='${free}' model='pcie-root-port'>${at}</controller>`;
    const added = {
      'on a port': `<rng model='virtio'>${address(bus, 0)}</rng>`,
      port: port(''),
      'port on bus': port(address(bus, 30)),
      'no alias': '',
    }[kind];
    const text = kind === 'no alias' ? xml.replace(/<alias name=.ua-vsmmu-port-\d+.\/>/, '') : xml;
    return text.replace('</devices>', `${added}</devices>`);
  });

/** Lists controllers, host devices and other devices by what distinguishes them. */
function inventory(domain: Domain): string[] {
  return [
    ...domain.hostDevices.map((d) => d.bdf),
    ...domain.otherDevices.map((d) => d.name),
    ...domain.iommus.filter((i) => i.pciBus === undefined || i.pciBus === 0).map((i) => i.model),
  ].sort();
}

/** Lists the buses of the SMMUs, sorted: one whose neighbour is gone has no place any more. */
function buses(domain: Domain): string[] {
  return domain.iommus.map((i) => String(i.pciBus)).sort();
}

/** Controllers that addresses name and that are not there. */
function missing(domain: Domain): number[] {
  const present = new Set<number>([0, ...domain.controllers.map((c) => c.index)]);
  const occupants = [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices];
  return occupants.flatMap(({ address }) => (address && !present.has(address.bus) ? [address.bus] : []));
}

/** Indexes below the highest in use that no controller has. */
function gaps(domain: Domain): number[] {
  const present = new Set<number>(domain.controllers.map((c) => c.index));
  const { highestIndex } = new PciTree(domain);
  return Array.from({ length: highestIndex }, (_, i) => i + 1).filter((index) => !present.has(index));
}

describe('a rewritten domain that somebody edited', () => {
  it('is reverted to one without anything of vsmmu, with every other edit, and without a new gap', () => {
    let reverted = 0;
    fc.assert(
      fc.property(arbitraryStory, byHand, ({ change, host, policy, xml }, edit) => {
        // Members of a group shift which devices `applyChange` picks.
        fc.pre(!policy.completeGroups);
        const first = rewritten(xml, host, policy);
        fc.pre(first !== undefined && first !== xml);
        const edited = edit(applyChange(first, host, change));
        const before = unlessRefused(() => parseDomain(edited));
        fc.pre(before !== undefined);
        const out = unlessRefused(() => revert(before));
        fc.pre(out !== undefined);
        reverted++;
        const after = parseDomain(out.xml);
        expect(out.xml).not.toContain('urn:vsmmu');
        expect(inventory(after)).toEqual(
          inventory(parseDomain(applyChange(xml, host, change).replace('</devices>', addedByHand(edited)))),
        );
        const known = [...gaps(before), ...gaps(parseDomain(xml))];
        expect(gaps(after).filter((index) => !known.includes(index))).toEqual([]);
        // Where the digest fits, a device may get back the address that it had on a controller that was missing before, too.
        const lost = [...missing(before), ...missing(parseDomain(xml))];
        expect(missing(after).filter((bus) => !lost.includes(bus))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(reverted).toBeGreaterThan(RUNS / 2);
  }, 600_000);

  it('is reverted so if expander buses made by hand were planned anew, too', () => {
    let reverted = 0;
    fc.assert(
      fc.property(arbitraryStory, byHand, ({ change, host, policy, xml }, edit) => {
        fc.pre(!policy.completeGroups);
        const given = unlessRefused(() => parseDomain(xml));
        fc.pre(given !== undefined && expanderBuses(given).length > 0);
        const cleared = unlessRefused(() => withoutExpanderBuses(given).domain.document.text);
        const first = cleared && rewritten(cleared, host, policy);
        fc.pre(first !== undefined);
        const edited = edit(applyChange(first ?? '', host, change));
        const before = unlessRefused(() => parseDomain(edited));
        fc.pre(before !== undefined);
        const out = unlessRefused(() => revert(before));
        fc.pre(out !== undefined);
        reverted++;
        const after = parseDomain(out.xml);
        expect(out.xml).not.toContain('urn:vsmmu');
        // A controller added by hand may have an index that one of the expander buses had.
        const devices = addedByHand(edited).replace(/<controller .*<\/controller>/, '');
        const expected = parseDomain(applyChange(xml, host, change).replace('</devices>', devices));
        expect(inventory(after)).toEqual(inventory(expected));
        const isBack = out.diagnostics.every(({ code }) => code !== 'expander-bus-not-restored');
        if (isBack) expect(buses(after)).toEqual(buses(expected));
        const known = [...gaps(before), ...gaps(given)];
        expect(gaps(after).filter((index) => !known.includes(index))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(reverted).toBeGreaterThan(RUNS / 4);
  }, 600_000);

  it('is planned from nothing as the domain before it, if nobody edited it', () => {
    fc.assert(
      fc.property(arbitraryCase, ({ xml, host, policy }) => {
        const first = rewritten(xml, host, policy);
        fc.pre(first?.includes('urn:vsmmu') ?? false);
        const { domain } = withoutExpanderBuses(parseDomain(first ?? ''));
        expect(expanderBuses(domain).map((c) => c.model)).not.toContain('pcie-expander-bus');
        expect(domain.document.text.includes('urn:vsmmu') ? revert(domain).xml : domain.document.text).toBe(xml);
      }),
      { numRuns: RUNS / 2 },
    );
  }, 600_000);
});

/** Returns what the edit by hand added at the end of `<devices>`, without its address. */
function addedByHand(edited: string): string {
  const added = /(<rng [^\n]*<\/rng>|<controller [^\n]*<\/controller>)?<\/devices>/.exec(edited)?.[0] ?? '</devices>';
  return added.replace(/<address[^>]*>/, '');
}
