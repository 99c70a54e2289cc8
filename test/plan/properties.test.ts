import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, RefusedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { managedDevicesOf } from '../../src/edit/undo/record.js';
import type { Plan } from '../../src/generated/plan.js';
import { validate as isPlan } from '../../src/generated/plan.validate.js';
import { plan } from '../../src/plan/plan.js';
import { applyChange, arbitraryCase, arbitraryStory, type Case } from './arbitrary.js';
import { lostLines, readDomain, wrongChanges, wrongWith } from './invariants.js';

/** Number of random cases per property; `VSMMU_RUNS` sets another. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 800);

interface Result {
  readonly xml: string;
  readonly plan: Plan;
  readonly codes: readonly string[];
}

/** Returns the result of a run, or undefined if the domain is refused. */
function run({ xml, host, policy, target }: Case): Result | undefined {
  try {
    const domain = parseDomain(xml);
    const made = plan(domain, host, policy, { target, managed: managedDevicesOf(domain) });
    const codes = made.diagnostics.map(({ code }) => code);
    return { xml: rewrite(domain, made.plan), plan: made.plan, codes };
  } catch (error) {
    if (error instanceof RefusedError || error instanceof InputError) return undefined;
    throw error;
  }
}

/** Checks everything that must hold for a result. Returns a sentence per violation. */
function faults(given: Case, result: Result): string[] {
  const [before, after] = [readDomain(given.xml), readDomain(result.xml)];
  if (result.plan.changed !== (result.xml !== given.xml)) return ['plan.changed is not whether the text changed'];
  if (!isPlan(result.plan)) return [`the plan does not fit its schema: ${JSON.stringify(isPlan.errors)}`];
  if (!before.devices.some((d) => d.bdf !== undefined)) return result.plan.changed ? ['nothing to place'] : [];
  const again = run({ ...given, xml: result.xml });
  const wrongBefore = wrongWith(before, given.host, given.target);
  return [
    // An error of the input that vsmmu does not correct is reported, not refused.
    ...wrongWith(after, given.host, given.target).filter((fault) => !wrongBefore.some((old) => isNoWorse(fault, old))),
    // If there is no room for guard ports, vsmmu reports a warning instead.
    ...wrongChanges(before, after, result.plan, given.host, given.policy).filter(
      (fault) => !(fault.includes('free ports guard') && result.codes.includes('spare-port-unguarded')),
    ),
    ...lostLines(withoutOrphaned(given.xml, result.plan), result.xml).map((line) => `lost: ${line}`),
    ...(again === undefined ? ['the second run refuses'] : []),
    ...(again?.plan.changed ? ['the second run plans a change'] : []),
    ...(again && again.xml !== result.xml ? ['the second run changes something'] : []),
  ];
}

/** Whether the input had the fault already, or lacked at least as many bus numbers. */
function isNoWorse(fault: string, before: string): boolean {
  const lack = (sentence: string) => /^(.*) needs (\d+) bus numbers and has (\d+)$/.exec(sentence);
  const [now, then] = [lack(fault), lack(before)];
  if (!now || !then) return fault === before;
  return now[1] === then[1] && Number(now[2]) - Number(now[3]) <= Number(then[2]) - Number(then[3]);
}

/** A domain's text without the elements that the plan removes for devices that have left, and without empty lines. */
function withoutOrphaned(xml: string, { orphaned }: Plan): string {
  const { hostDevices, numa } = parseDomain(xml);
  const cells = new Set<number>(orphaned.cells);
  const gone = [
    ...hostDevices.filter(({ bdf }) => orphaned.groupMembers.includes(bdf)).map(({ element }) => element),
    ...numa.cells.flatMap(({ id, element }) => {
      if (cells.has(id)) return element ?? [];
      const siblings = element?.child('distances')?.children ?? [];
      return siblings.filter((sibling) => cells.has(Number(sibling.attribute('id'))));
    }),
  ];
  const text = gone
    .sort((a, b) => b.start - a.start)
    .reduce((left, { start, end }) => left.slice(0, start) + left.slice(end), xml);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join('\n');
}

describe('whatever the domain, the host and the policy', () => {
  it('the domain is refused, or the result works on that host', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryCase, (given) => {
        const result = run(given);
        if (result?.plan.changed) changed++;
        if (result) expect(faults(given, result)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  }, 600_000);

  it('the same holds for a second run after devices were added and removed, with another policy', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryStory, ({ change, ...given }) => {
        const first = run(given);
        fc.pre(first !== undefined);
        const { host, target } = given;
        const second = { host, target, policy: change.policy, xml: applyChange(first.xml, host, change) };
        const result = run(second);
        if (result?.plan.changed) changed++;
        if (result) expect(faults(second, result)).toEqual([]);
      }),
      { numRuns: RUNS / 2 },
    );
    expect(changed).toBeGreaterThan(RUNS / 40);
  }, 600_000);
});
