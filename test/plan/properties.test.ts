import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, RefusedError } from '../../src/diagnostics.js';
import { parseDomain } from '../../src/domain/domain.js';
import type { Plan } from '../../src/generated/plan.js';
import { validate as isPlan } from '../../src/generated/plan.validate.js';
import { plan } from '../../src/plan/plan.js';
import { rewrite } from '../../src/rewrite/rewrite.js';
import { applyChange, arbitraryCase, arbitraryStory, type Case } from './arbitrary.js';
import { lostLines, readDomain, wrongChanges, wrongWith } from './invariants.js';

/** How often each property is tried; `VSMMU_RUNS` hunts for longer. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 800);

interface Result {
  readonly xml: string;
  readonly plan: Plan;
}

/** What a run gives, or undefined where the domain is refused. */
function run({ xml, host, policy }: Case): Result | undefined {
  try {
    const domain = parseDomain(xml);
    const made = plan(domain, host, policy);
    return { xml: rewrite(domain, made.plan), plan: made.plan };
  } catch (error) {
    if (error instanceof RefusedError || error instanceof InputError) return undefined;
    throw error;
  }
}

/** Everything that must hold of a result, as sentences about what does not. */
function faults(given: Case, result: Result): string[] {
  const [before, after] = [readDomain(given.xml), readDomain(result.xml)];
  if (result.plan.changed !== (result.xml !== given.xml)) return ['plan.changed is not whether the text changed'];
  if (!isPlan(result.plan)) return [`the plan does not fit its schema: ${JSON.stringify(isPlan.errors)}`];
  if (!before.devices.some((d) => d.bdf !== undefined)) return result.plan.changed ? ['nothing to place'] : [];
  const again = run({ ...given, xml: result.xml });
  return [
    ...wrongWith(after, given.host),
    ...wrongChanges(before, after, result.plan, given.host, given.policy),
    ...lostLines(given.xml, result.xml).map((line) => `lost: ${line}`),
    ...(again === undefined ? ['the second run refuses'] : []),
    ...(again?.plan.changed ? ['the second run plans a change'] : []),
    ...(again && again.xml !== result.xml ? ['the second run changes something'] : []),
  ];
}

describe('whatever the domain, the host and the policy', () => {
  it('the domain is refused, or what comes out works on that host', () => {
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

  it('so it is once more when devices came and went and the policy is another', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryStory, ({ change, ...given }) => {
        const first = run(given);
        fc.pre(first !== undefined);
        const second = { host: given.host, policy: change.policy, xml: applyChange(first.xml, given.host, change) };
        const result = run(second);
        if (result?.plan.changed) changed++;
        if (result) expect(faults(second, result)).toEqual([]);
      }),
      { numRuns: RUNS / 2 },
    );
    expect(changed).toBeGreaterThan(RUNS / 40);
  }, 600_000);
});
