import { describe, expect, it } from 'vitest';
import { judge } from './case.js';

/** The number of cases here; test/README.md describes how to run more. */
const CASES = 200;

describe('the judge', () => {
  it('finds no fault in the results for random domains on random hosts', () => {
    const verdicts = Array.from({ length: CASES }, (_, number) => ({ number, ...judge(number) }));
    expect(verdicts.flatMap(({ number, findings }) => findings.map((each) => `case ${number}: ${each}`))).toEqual([]);
    expect(verdicts.filter(({ converted }) => converted > 0).length).toBeGreaterThan(CASES / 3);
    expect(verdicts.filter(({ refused }) => refused > 0).length).toBeLessThan(CASES / 5);
  }, 300_000);
});
