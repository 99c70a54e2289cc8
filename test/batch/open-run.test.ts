import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/batch/batch.js';
import { type DomainResult, Tally, type Verdict } from '../../src/batch/item.js';
import { OpenRun } from '../../src/batch/open-run.js';
import { State } from '../../src/batch/state.js';
import { UPSTREAM } from '../../src/domain/target.js';
import type { Entry } from '../../src/generated/journal.js';
import { temporaryFolder } from '../cli/run.js';

const BATCH: Batch = {
  source: { kind: 'folder', in: '/in', out: null, map: null },
  settings: { policy: {}, forceTcg: false, strict: false, saved: false, libvirt: null, qemu: null },
  host: undefined,
  target: UPSTREAM,
};
const DIGEST = '0'.repeat(64);
const AT = '2026-01-01T00:00:00.000Z';
const BEGIN: Entry = {
  event: 'begin',
  at: AT,
  id: 'a',
  name: 'a',
  before: DIGEST,
  after: DIGEST,
  backup: 'backup/0.xml',
};
const DONE: Entry = { event: 'done', id: 'a', stored: DIGEST };
const SETTLED: Entry = { event: 'settled', id: 'b', name: 'b', verdict: 'unchanged' };

function tallyOf(...verdicts: readonly Verdict[]): Tally {
  const tally = new Tally();
  for (const verdict of verdicts) tally.add({ verdict } as DomainResult);
  return tally;
}

async function newRun(...entries: readonly Entry[]): Promise<OpenRun> {
  const open = await OpenRun.create(new State(join(temporaryFolder(), 'state')), BATCH);
  for (const entry of entries) await open.journal.append(entry);
  return open;
}

const hasEnded = ({ run }: OpenRun): boolean => readFileSync(run.journal, 'utf8').includes('"end"');

describe('the end of a run', () => {
  it('is recorded if the journal has every result', async () => {
    await using open = await newRun(BEGIN, DONE, SETTLED);
    expect(await open.end(tallyOf('converted', 'unchanged'))).toBe(true);
    expect(hasEnded(open)).toBe(true);
  });

  it.each<[title: string, entries: Entry[], results: Verdict[]]>([
    ['a result is not in the journal', [BEGIN, DONE], ['converted', 'unchanged']],
    ['the journal has more entries than there are results', [BEGIN, DONE, SETTLED], ['converted']],
    ['a change is incomplete', [BEGIN, SETTLED], ['converted', 'unchanged']],
  ])('is refused when %s', async (_, entries, results) => {
    await using open = await newRun(...entries);
    const { length: closed } = entries.filter(({ event }) => event !== 'begin');
    await expect(open.end(tallyOf(...results))).rejects.toMatchObject({
      diagnostics: [
        { code: 'run-incomplete', message: `the run has ${results.length} results, but the journal has ${closed}` },
      ],
    });
    expect(hasEnded(open)).toBe(false);
    expect(open.kept).toBe(true);
  });

  it('is not recorded if an entry could not be written, so that the run can be resumed', async () => {
    const open = await newRun();
    await open.journal.close();
    await expect(open.journal.append(SETTLED)).rejects.toThrow();
    expect(await open.end(tallyOf('unchanged'))).toBe(false);
    expect(hasEnded(open)).toBe(false);
  });

  it.each<[title: string, kept: boolean, entries: Entry[], results: Verdict[]]>([
    ['removes a run in which nothing happened', false, [SETTLED], ['unchanged']],
    ['removes a run that only refused domains', false, [SETTLED], ['refused']],
    ['keeps a run that changed a domain', true, [BEGIN, DONE], ['converted']],
    ['keeps a run that changed a domain even if no result reports it', true, [BEGIN, DONE], ['unchanged']],
    ['keeps a run that wrote a file', true, [SETTLED], ['written']],
    ['keeps a run with a domain that failed', true, [SETTLED], ['failed']],
  ])('%s', async (_, kept, entries, results) => {
    await using open = await newRun(...entries);
    expect(await open.end(tallyOf(...results))).toBe(true);
    expect(open.kept).toBe(kept);
    expect(existsSync(open.run.path)).toBe(kept);
  });
});
