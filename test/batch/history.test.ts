import { appendFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  inFlight,
  newestThatChanged,
  newestUnfinished,
  readHistory,
  settledIds,
  totalsOf,
} from '../../src/batch/history.js';
import { State } from '../../src/batch/state.js';
import type { Entry, FolderSource } from '../../src/generated/journal.js';
import { temporaryFolder } from '../cli/run.js';

const AT = '2026-01-01T00:00:00.000Z';
const BEFORE = 'b'.repeat(64);
const AFTER = 'a'.repeat(64);

const run = (source: Partial<FolderSource> = {}): Entry => ({
  event: 'run',
  at: AT,
  version: 1,
  source: { kind: 'folder', in: '/in', out: null, map: null, ...source },
  settings: { policy: {}, forceTcg: false, strict: false, saved: false, libvirt: null, qemu: null },
});
const begin = (id: string): Entry => ({
  event: 'begin',
  at: AT,
  id,
  name: id,
  before: BEFORE,
  after: AFTER,
  backup: 'backup/0.xml',
});
const done = (id: string): Entry => ({ event: 'done', id, stored: AFTER });
const undo = (id: string): Entry => ({ event: 'undo', at: AT, id });
const undone = (id: string): Entry => ({ event: 'undone', id });
const listed = (id: string): Entry => ({ event: 'listed', id, name: id });
const settled = (id: string, verdict: 'unchanged' | 'failed' | 'written'): Entry => ({
  event: 'settled',
  id,
  name: id,
  verdict,
});
const END: Entry = { event: 'end', at: AT };

/** A state folder with a run for each of these journals, numbered from 1. */
function stateWith(...journals: readonly (readonly Entry[])[]): State {
  const state = new State(temporaryFolder());
  for (const [i, entries] of journals.entries()) {
    const folder = join(state.folder, 'runs', `000${i + 1}-20260101T000000Z`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'journal.jsonl'), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }
  return state;
}

async function historyOf(...entries: readonly Entry[]) {
  const [folder] = stateWith(entries).runs();
  if (!folder) throw new Error('no run');
  return await readHistory(folder);
}

describe('the history from a journal', () => {
  it('has the state of each domain', async () => {
    const history = await historyOf(
      run(),
      begin('changed'),
      done('changed'),
      begin('begun'),
      settled('other', 'unchanged'),
      settled('broken', 'failed'),
      begin('back'),
      done('back'),
      undo('back'),
      undone('back'),
      END,
    );
    expect(history.ended).toBe(AT);
    expect([...settledIds(history)].sort()).toEqual(['back', 'changed', 'other']);
    expect([...inFlight(history).keys()]).toEqual(['begun']);
    expect(totalsOf(history)).toEqual({ converted: 1, restored: 1, unchanged: 1 });
    expect(history.changes.get('back')).toMatchObject({ stored: AFTER, undoing: true, undone: true });
    expect(history.changes.get('changed')).toMatchObject({ stored: AFTER, undoing: false, undone: false });
  });

  it('has the names of the listed domains, and the size of the complete lines of the journal', async () => {
    const state = stateWith([run(), listed('a'), { event: 'listed', id: 'b', name: 'vm' }]);
    const [folder] = state.runs();
    if (!folder) throw new Error('no run');
    const { size } = statSync(folder.journal);
    appendFileSync(folder.journal, '{"event":"listed"');
    const history = await readHistory(folder);
    expect([...history.listed]).toEqual([
      ['a', 'a'],
      ['b', 'vm'],
    ]);
    expect(history.size).toBe(size);
    expect(history.ended).toBeUndefined();
  });

  it('does not count a change that is only begun, or whose rollback is only begun, as undone', async () => {
    const history = await historyOf(run(), begin('a'), done('a'), undo('a'), done('stranger'));
    expect(history.changes.get('a')).toMatchObject({ undoing: true, undone: false });
    expect([...history.changes.keys()]).toEqual(['a']);
    expect(totalsOf(history)).toEqual({ converted: 1 });
  });

  it('counts a domain once if it failed first and was changed later', async () => {
    const history = await historyOf(run(), settled('a', 'failed'), begin('a'), done('a'));
    expect(totalsOf(history)).toEqual({ converted: 1 });
    expect([...settledIds(history)]).toEqual(['a']);
  });

  it('counts a domain once if its change began and it then got another result', async () => {
    const history = await historyOf(run(), begin('a'), settled('a', 'unchanged'));
    expect(totalsOf(history)).toEqual({ unchanged: 1 });
  });

  it('counts a domain once if it was changed after its first result', async () => {
    const history = await historyOf(run(), settled('a', 'unchanged'), begin('a'), done('a'));
    expect(totalsOf(history)).toEqual({ converted: 1 });
  });

  it('is an error if the journal has no first line', async () => {
    await expect(historyOf(settled('a', 'unchanged'))).rejects.toMatchObject({
      diagnostics: [{ code: 'journal-invalid' }],
    });
  });
});

describe('the newest run that can be resumed', () => {
  it.each<[title: string, resumable: boolean, entries: Entry[]]>([
    ['did not end', true, [begin('a'), done('a')]],
    ['ended', false, [begin('a'), done('a'), END]],
    ['ended with a domain that failed', true, [settled('a', 'failed'), END]],
    ['ended with an incomplete change', true, [begin('a'), END]],
    ['ended without a domain that it listed', true, [listed('a'), listed('b'), settled('a', 'unchanged'), END]],
    ['ended with a result for each domain that it listed', false, [listed('a'), settled('a', 'unchanged'), END]],
    ['is being rolled back', false, [begin('a'), done('a'), undo('a')]],
  ])('may be one that %s: %s', async (_, resumable, entries) => {
    const state = stateWith([run(), ...entries]);
    if (resumable) expect((await newestUnfinished(state)).id).toMatch(/^0001-/);
    else await expect(newestUnfinished(state)).rejects.toThrow(/is unfinished/);
  });

  it('is the last of several', async () => {
    const state = stateWith([run()], [run()], [run(), END]);
    expect((await newestUnfinished(state)).id).toMatch(/^0002-/);
  });
});

describe('the newest run with changes', () => {
  it.each<[title: string, found: boolean, entries: Entry[]]>([
    ['changed a domain', true, [run(), begin('a'), done('a'), END]],
    ['was rolled back', true, [run(), begin('a'), done('a'), undo('a'), undone('a')]],
    ['wrote files elsewhere', true, [run({ out: '/out' }), settled('a', 'written'), END]],
    ['changed nothing', false, [run(), settled('a', 'unchanged'), settled('b', 'failed'), END]],
  ])('may be one that %s: %s', async (_, found, entries) => {
    const state = stateWith(entries);
    if (found) expect((await newestThatChanged(state)).id).toMatch(/^0001-/);
    else await expect(newestThatChanged(state)).rejects.toThrow(/changed anything/);
  });

  it('is the last of several', async () => {
    const changed = [run(), begin('a'), done('a'), END];
    expect((await newestThatChanged(stateWith(changed, changed, [run(), END]))).id).toMatch(/^0002-/);
  });
});
