import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { State } from '../../src/batch/state.js';
import type { RunEntry } from '../../src/generated/journal.js';
import { temporaryFolder } from '../cli/run.js';

const header = (at: string): RunEntry => ({
  event: 'run',
  at,
  version: 1,
  source: { kind: 'folder', in: '/in', out: null, map: null },
  settings: { policy: {}, forceTcg: false, strict: false, saved: false, libvirt: null, qemu: null },
});

async function newRun(state: State, at: string): Promise<string> {
  const { run, journal } = await state.create([header(at)], undefined);
  await journal.close();
  return run.id;
}

const unknown = expect.objectContaining({ code: 'run-unknown' });
const newState = (): State => new State(join(temporaryFolder(), 'state'));
const idsOf = (state: State): string[] => state.runs().map(({ id }) => id);

describe('the runs of a state folder', () => {
  it('are numbered in the order in which they began, whatever the clock', async () => {
    const state = newState();
    for (const at of ['2026-03-01T00:00:00.000Z', '2025-01-01T12:34:56.789Z', '2026-03-01T00:00:00.000Z']) {
      await newRun(state, at);
    }
    expect(idsOf(state)).toEqual(['0001-20260301T000000Z', '0002-20250101T123456Z', '0003-20260301T000000Z']);
  });

  it('are ordered by number also beyond four digits', async () => {
    const state = newState();
    const first = await newRun(state, '2026-03-01T00:00:00.000Z');
    const folder = join(state.folder, 'runs');
    renameSync(join(folder, first), join(folder, '9999-20260301T000000Z'));
    expect(await newRun(state, '2026-02-01T00:00:00.000Z')).toBe('10000-20260201T000000Z');
    expect(idsOf(state)).toEqual(['9999-20260301T000000Z', '10000-20260201T000000Z']);
  });

  it('are numbered after the newest run that is kept', async () => {
    const state = newState();
    const [first, second] = [
      await newRun(state, '2026-03-01T00:00:00.000Z'),
      await newRun(state, '2026-03-02T00:00:00.000Z'),
    ];
    rmSync(join(state.folder, 'runs', first), { recursive: true });
    expect(await newRun(state, '2026-03-03T00:00:00.000Z')).toBe('0003-20260303T000000Z');
    expect(idsOf(state)).toEqual([second, '0003-20260303T000000Z']);
  });

  it('are those folders that have the name of a run and a journal', async () => {
    const state = newState();
    const id = await newRun(state, '2026-03-01T00:00:00.000Z');
    for (const name of ['0002-20260301T000000Z', 'notes', '20260301T000000Z']) {
      mkdirSync(join(state.folder, 'runs', name));
    }
    expect(idsOf(state)).toEqual([id]);
  });

  it('are found by their names', async () => {
    const state = newState();
    expect(state.runs()).toEqual([]);
    expect(() => state.requireRuns()).toThrow(expect.objectContaining({ diagnostics: [unknown] }));
    const id = await newRun(state, '2026-03-01T00:00:00.000Z');
    expect(state.requireRuns()).toBeUndefined();
    expect(state.run(id).id).toBe(id);
    expect(() => state.run('0002-20260301T000000Z')).toThrow(expect.objectContaining({ diagnostics: [unknown] }));
  });

  it('keep former domains byte for byte, readable for their owner only, until they are removed', async () => {
    const state = newState();
    const run = state.run(await newRun(state, '2026-03-01T00:00:00.000Z'));
    await run.keep('backup/a.xml', Buffer.from('a\xff', 'latin1'));
    expect(run.backup('backup/a.xml')).toEqual(Buffer.from('a\xff', 'latin1'));
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    expect([run.file('backup/a.xml'), run.path, state.folder].map(modeOf)).toEqual([0o600, 0o700, 0o700]);
    run.remove();
    expect(readdirSync(join(state.folder, 'runs'))).toEqual([]);
  });

  it('do not include the incomplete folder of a killed run, which is removed', async () => {
    const state = newState();
    mkdirSync(join(state.folder, 'runs/.new-0001-20260301T000000Z/backup'), { recursive: true });
    const id = await newRun(state, '2026-03-01T00:00:00.000Z');
    expect(readdirSync(join(state.folder, 'runs'))).toEqual([id]);
  });
});
