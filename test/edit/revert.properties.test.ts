import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, RefusedError } from '../../src/diagnostics/errors.js';
import { formatGuestAddress } from '../../src/domain/address.js';
import { parseDomain } from '../../src/domain/domain.js';
import { vsmmuControllers } from '../../src/domain/vsmmu-controllers.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { managedDevicesOf } from '../../src/edit/undo/record.js';
import { withoutExpanderBuses } from '../../src/edit/undo/relayout.js';
import { revert } from '../../src/edit/undo/revert.js';
import type { Host } from '../../src/host/host.js';
import { plan } from '../../src/plan/plan.js';
import type { Policy } from '../../src/policy/policy.js';
import { applyChange, arbitraryCase, arbitraryPolicy, arbitraryStory } from '../plan/arbitrary.js';
import { meaning } from './example.js';

/** Number of random cases per property; `VSMMU_RUNS` sets another. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 300);

/** Returns the rewritten domain, or undefined if it is refused. */
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

/** Returns the reverted domain. A domain that keeps its own expander buses has no record and is not changed. */
function reverted(xml: string): string {
  return xml.includes('urn:vsmmu:domain:1') ? revert(parseDomain(xml)).xml : xml;
}

/** Puts each element on its own line, so that a difference is readable. */
function lines(xml: string): string {
  return xml.replaceAll('><', '>\n<');
}

/** The meaning of a domain, sorted, without these addresses and without addresses on missing controllers. */
function sorted(xml: string, without: readonly string[]): string[] {
  const present = new Set(parseDomain(xml).controllers.map((c) => `bus=${c.index}`));
  const isMissing = (line: string) => {
    // An undo also removes these elements if they become empty. Their children have their own lines.
    if (line === '<cpu' || line === '<numa' || line === '<rom') return true;
    // libvirt treats such an address as missing.
    if (line.startsWith('<address domain=0 bus=0 slot=0 ')) return true;
    if (without.some((address) => line.startsWith(address))) return true;
    const [, bus] = /^<address domain=\d+ (bus=\d+) /.exec(line) ?? [];
    return bus !== undefined && bus !== 'bus=0' && !present.has(bus);
  };
  return meaning(xml)
    .map((line) => line.trim())
    .filter((line) => !isMissing(line))
    .sort();
}

/** Other text layouts of the same XML, as an editor may write them. */
const manner: fc.Arbitrary<(xml: string) => string> = fc.constantFrom(
  (xml: string) => xml,
  (xml: string) => xml.replace(/\r?\n[ \t]*/g, ''),
  (xml: string) => xml.replace(/(\r?\n)/g, ' \t$1'),
  (xml: string) => xml.replace(/(\r?\n)/g, ' <!-- so --> $1'),
  (xml: string) => xml.replaceAll('/>', ' />').replace(/<name>.*<\/name>/, '$&<metadata />'),
  (xml: string) => xml.replace(/<name>.*<\/name>/, '$&<metadata >\n</metadata >'),
  (xml: string) => xml.replace(/<name>.*<\/name>/, "$&<metadata><a:b xmlns:a='urn:a'/></metadata>"),
  (xml: string) => xml.replace(/<iommu model=.smmuv3.\/>/, '$&\n\n'),
);

describe('revert', () => {
  it('restores a rewritten domain byte for byte', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryCase, manner, ({ xml, host, policy }, write) => {
        const before = write(xml);
        const after = rewritten(before, host, policy);
        fc.pre(after !== undefined && after !== before);
        changed++;
        expect(lines(reverted(after))).toBe(lines(before));
      }),
      { numRuns: RUNS },
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  }, 600_000);

  it('restores the original of several rewrites, whatever their policies', () => {
    const policies = arbitraryCase.chain((given) => fc.tuple(fc.constant(given), arbitraryPolicy(given.host)));
    fc.assert(
      fc.property(policies, manner, ([{ xml, host, policy }, other], write) => {
        const before = write(xml);
        const first = rewritten(before, host, policy);
        fc.pre(first !== undefined && first !== before);
        const second = rewritten(first, host, other);
        fc.pre(second !== undefined);
        expect(lines(reverted(second))).toBe(lines(before));
      }),
      { numRuns: RUNS },
    );
  }, 600_000);

  it('restores a domain after --relayout, with its hand-made expander buses', () => {
    let unrecorded = 0;
    fc.assert(
      fc.property(arbitraryCase, manner, ({ xml, host, policy }, write) => {
        const before = write(xml);
        const domain = unlessRefused(() => parseDomain(before));
        fc.pre(domain !== undefined && vsmmuControllers(domain).length > 0);
        const cleared = unlessRefused(() => withoutExpanderBuses(domain).domain.document.text);
        const after = cleared && rewritten(cleared, host, policy);
        fc.pre(after !== undefined);
        unrecorded++;
        expect(lines(revert(parseDomain(cleared ?? '')).xml), 'cleared').toBe(lines(before));
        expect(lines(revert(parseDomain(after ?? '')).xml)).toBe(lines(before));
      }),
      { numRuns: RUNS },
    );
    expect(unrecorded).toBeGreaterThan(RUNS / 10);
  }, 600_000);

  it('keeps later additions and removals of devices', () => {
    fc.assert(
      fc.property(arbitraryStory, ({ change, host, ...given }) => {
        // A group member counts as a device of the domain, so the change would pick other devices.
        fc.pre(!given.policy.completeGroups && !change.policy.completeGroups);
        const first = rewritten(given.xml, host, given.policy);
        fc.pre(first !== undefined && first !== given.xml);
        const second = rewritten(applyChange(first, host, change), host, change.policy);
        fc.pre(second !== undefined);
        // An element that was removed between two removed devices no longer has a definite position.
        const expected = applyChange(given.xml, host, change);
        // A device that vsmmu moved does not return to a slot without function 0.
        const lonely = lonelyFunctions(expected);
        expect(sorted(reverted(second), lonely)).toEqual(sorted(expected, lonely));
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});

/** The addresses of devices in slots without function 0, as `meaning` writes them. */
function lonelyFunctions(xml: string): string[] {
  const { hostDevices, otherDevices, controllers } = parseDomain(xml);
  const addresses = [...hostDevices, ...otherDevices, ...controllers].flatMap(({ address }) => address ?? []);
  const firsts = addresses.filter((address) => address.function === 0).map(formatGuestAddress);
  return addresses
    .filter((address) => !firsts.includes(formatGuestAddress({ ...address, function: 0 })))
    .map(({ bus, slot, function: number }) => `<address domain=0 bus=${bus} slot=${slot} function=${number}`);
}
