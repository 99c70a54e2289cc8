import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, RefusedError } from '../../src/diagnostics/errors.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { vsmmuControllers } from '../../src/domain/vsmmu-controllers.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { managedDevicesOf } from '../../src/edit/undo/record.js';
import { withoutExpanderBuses } from '../../src/edit/undo/relayout.js';
import { revert } from '../../src/edit/undo/revert.js';
import type { Host } from '../../src/host/host.js';
import { plan } from '../../src/plan/plan.js';
import type { Policy } from '../../src/policy/policy.js';
import { applyChange, arbitraryCase, arbitraryStory } from '../plan/arbitrary.js';

/** Number of random cases per property; `VSMMU_RUNS` sets another. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 200);

function rewritten(xml: string, host: Host, policy: Policy): string | undefined {
  return unlessRefused(() => {
    const domain = parseDomain(xml);
    return rewrite(domain, plan(domain, host, policy, { managed: managedDevicesOf(domain) }).plan);
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

/** Manual edits other than adding and removing devices. */
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

/** Lists host devices, other devices and IOMMUs of no expander bus, by address, name or model, sorted. */
function inventory(domain: Domain): string[] {
  return [
    ...domain.hostDevices.map((d) => d.bdf),
    ...domain.otherDevices.map((d) => d.name),
    ...domain.iommus.filter((i) => i.pciBus === undefined || i.pciBus === 0).map((i) => i.model),
  ].sort();
}

/** Lists the buses of the SMMUs, sorted: if its neighbour was removed, an SMMU has no definite position in the document. */
function buses(domain: Domain): string[] {
  return domain.iommus.map((i) => String(i.pciBus)).sort();
}

/** Indexes of missing controllers that addresses refer to. */
function missing(domain: Domain): number[] {
  const present = new Set<number>([0, ...domain.controllers.map((c) => c.index)]);
  const occupants = [...domain.controllers, ...domain.hostDevices, ...domain.otherDevices];
  return occupants.flatMap(({ address }) => (address && !present.has(address.bus) ? [address.bus] : []));
}

/** Unused indexes below the highest one in use. */
function gaps(domain: Domain): number[] {
  const present = new Set<number>(domain.controllers.map((c) => c.index));
  const { highestIndex } = new PciTree(domain);
  return Array.from({ length: highestIndex }, (_, i) => i + 1).filter((index) => !present.has(index));
}

describe('a rewritten domain that a user edited', () => {
  it('is reverted to a domain without elements of vsmmu, with every other edit, and without a new gap in the indexes', () => {
    let reverted = 0;
    fc.assert(
      fc.property(arbitraryStory, byHand, ({ change, host, policy, xml }, edit) => {
        // Group members change which devices `applyChange` picks.
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
        // If the digest matches, a device may also get back an address on a controller that was missing in the input.
        const lost = [...missing(before), ...missing(parseDomain(xml))];
        expect(missing(after).filter((bus) => !lost.includes(bus))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(reverted).toBeGreaterThan(RUNS / 2);
  }, 600_000);

  it('is reverted in the same way if rewrite --relayout replaced hand-made expander buses', () => {
    let reverted = 0;
    fc.assert(
      fc.property(arbitraryStory, byHand, ({ change, host, policy, xml }, edit) => {
        fc.pre(!policy.completeGroups);
        const given = unlessRefused(() => parseDomain(xml));
        fc.pre(given !== undefined && vsmmuControllers(given).length > 0);
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
        // A controller that the user added may have the former index of an expander bus.
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

  it('gets the same plan from --relayout as the original domain, if the user did not edit it', () => {
    fc.assert(
      fc.property(arbitraryCase, ({ xml, host, policy }) => {
        const first = rewritten(xml, host, policy);
        fc.pre(first?.includes('urn:vsmmu') ?? false);
        const { domain } = withoutExpanderBuses(parseDomain(first ?? ''));
        expect(vsmmuControllers(domain).map((c) => c.model)).not.toContain('pcie-expander-bus');
        expect(domain.document.text.includes('urn:vsmmu') ? revert(domain).xml : domain.document.text).toBe(xml);
      }),
      { numRuns: RUNS / 2 },
    );
  }, 600_000);
});

/** Returns the element that the manual edit added at the end of `<devices>`, without its address. */
function addedByHand(edited: string): string {
  const added = /(<rng [^\n]*<\/rng>|<controller [^\n]*<\/controller>)?<\/devices>/.exec(edited)?.[0] ?? '</devices>';
  return added.replace(/<address[^>]*>/, '');
}
