import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resultDiagnostics } from '../../src/check/result.js';
import { InputError, RefusedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { plan } from '../../src/plan/plan.js';
import { applyChange, arbitraryCase, arbitraryStory, type Case } from '../plan/arbitrary.js';

/** Number of random cases per property; `VSMMU_RUNS` sets another. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 400);

/** Returns the rewritten domain; undefined if rewrite changes nothing or refuses. */
function rewritten({ xml, host, policy }: Case): string | undefined {
  try {
    const domain = parseDomain(xml);
    const { plan: made } = plan(domain, host, policy);
    return made.changed ? rewrite(domain, made) : undefined;
  } catch (error) {
    if (error instanceof RefusedError || error instanceof InputError) return undefined;
    throw error;
  }
}

/** The errors that a check finds in a result and that the domain did not have before. */
function complaints(after: string, { xml, host }: Pick<Case, 'xml' | 'host'>): string[] {
  return resultDiagnostics(parseDomain(xml), parseDomain(after), host)
    .filter(({ severity }) => severity === 'error')
    .map(({ code, message }) => `${code}: ${message}`);
}

describe('whatever the domain, the host and the policy', () => {
  it('a check finds no new error in the result of a rewrite', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryCase, (given) => {
        const xml = rewritten(given);
        if (xml === undefined) return;
        changed++;
        expect(complaints(xml, given)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  }, 600_000);

  it('a check finds no new error after a second rewrite with other devices and another policy', () => {
    let changed = 0;
    fc.assert(
      fc.property(arbitraryStory, ({ change, ...given }) => {
        const first = rewritten(given);
        fc.pre(first !== undefined);
        const { host, target } = given;
        const second = { host, target, policy: change.policy, xml: applyChange(first, host, change) };
        const xml = rewritten(second);
        if (xml === undefined) return;
        changed++;
        expect(complaints(xml, second)).toEqual([]);
      }),
      { numRuns: RUNS / 2 },
    );
    expect(changed).toBeGreaterThan(RUNS / 40);
  }, 600_000);
});
