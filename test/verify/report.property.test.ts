import fc from 'fast-check';
import { expect, it } from 'vitest';
import { InputError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { printable } from '../../src/escape.js';
import { type GuestReport, readGuestReport } from '../../src/guest/report.js';
import { verify } from '../../src/verify/verify.js';
import { defined, evidenceOf, reportOf, started } from './running.js';

const RUNS = Number(process.env.VSMMU_RUNS ?? 1000);
const SEED = Number(process.env.VSMMU_SEED ?? 22);

const report = reportOf(parseDomain(started(defined)));
const lines = report.split('\n');
const evidence = evidenceOf();

/** Text that a guest may put anywhere: other lines, control characters, large numbers, nothing, or long text. */
const piece = fc.oneof(
  fc.constantFrom(...lines),
  fc.constantFrom(
    '\u001b[2J',
    '\u001b]0;x\u0007',
    '\u202e',
    '\r',
    '\0',
    '\n',
    ' ',
    '=',
    '\ud800',
    '\u2028',
    '__proto__=x',
  ),
  fc.constantFrom('log \u001b[31m\u0007arm-smmu-v3 x: CMD_SYNC timeout', `log ${'x'.repeat(2000)}`, '9'.repeat(400)),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const change = fc.record({ at: fc.nat(report.length), remove: fc.nat(30), insert: piece, whole: fc.boolean() });

/** The report with parts replaced, within a line or by whole lines. */
function mutate(changes: readonly { at: number; remove: number; insert: string; whole: boolean }[]): string {
  return changes.reduce((text, { at, remove, insert, whole }) => {
    const start = whole ? text.lastIndexOf('\n', at) + 1 : Math.min(at, text.length);
    const end = whole ? Math.max(start, text.indexOf('\n', start)) : start + remove;
    return text.slice(0, start) + insert + text.slice(end);
  }, report);
}

function read(text: string): GuestReport | undefined {
  try {
    return readGuestReport(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return undefined;
  }
}

it(
  'a report with arbitrary text causes no crash, and none of its control characters reach a terminal',
  () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const guest = read(mutate(changes));
        if (!guest) return;
        taken += 1;
        for (const { title, found, findings, details = [] } of verify({ ...evidence, guest })) {
          const said = [title, found, ...details, ...findings.flatMap(({ message, hint = '' }) => [message, hint])];
          for (const text of said) expect(text).toBe(printable(text));
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(taken, 'some are taken').toBeGreaterThan(RUNS / 100);
  },
  RUNS * 100,
);
