import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/batch/batch.js';
import { readHistory } from '../../src/batch/history.js';
import { type DomainResult, Tally } from '../../src/batch/item.js';
import { libvirtStore } from '../../src/batch/libvirt.js';
import { OpenRun } from '../../src/batch/open-run.js';
import { rollBack } from '../../src/batch/rollback.js';
import { type BatchOptions, LibvirtBatch } from '../../src/batch/run.js';
import { State } from '../../src/batch/state.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { EnvironmentError } from '../../src/diagnostics/errors.js';
import { libvirtRefused, libvirtUnreachable } from '../../src/diagnostics/libvirt.js';
import { UPSTREAM } from '../../src/domain/target.js';
import type { LibvirtSource, Settings } from '../../src/generated/journal.js';
import { readTopology } from '../../src/host/snapshot.js';
import { converted, HOST, text } from '../cli/batch-sandbox.js';
import { temporaryFolder } from '../cli/run.js';
import { type MemoryDomain, MemoryLibvirt, uuidOf } from './memory-libvirt.js';

const NAME = 'ml-train-01';
const xmlOf = (name: string): string => text.replaceAll(NAME, name);
const vm = (name: string, more: Partial<MemoryDomain> = {}): MemoryDomain => ({ name, xml: xmlOf(name), ...more });
const source: LibvirtSource = { kind: 'libvirt', uri: 'memory:///' };
const SETTINGS: Settings = { policy: {}, forceTcg: false, strict: false, saved: false, libvirt: null, qemu: null };
const OPTIONS: BatchOptions = {
  jobs: 1,
  want: { texts: false, plans: false, details: false },
  failFast: false,
  signal: new AbortController().signal,
};
const batchOf = (settings: Partial<Settings> = {}): Batch & { readonly source: LibvirtSource } => ({
  source,
  settings: { ...SETTINGS, ...settings },
  host: readTopology(readFileSync(HOST, 'utf8'), HOST),
  target: UPSTREAM,
});

async function all(items: AsyncIterable<DomainResult>): Promise<DomainResult[]> {
  const list: DomainResult[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** A batch on domains in memory. */
class Trial {
  readonly state = new State(join(temporaryFolder(), 'state'));
  readonly batch: LibvirtBatch;

  constructor(readonly libvirt: MemoryLibvirt) {
    this.batch = new LibvirtBatch([libvirt]);
  }

  /** Converts all domains in a new run, up to its end. */
  async convert(settings: Partial<Settings> = {}, options = OPTIONS): Promise<DomainResult[]> {
    const domains = await this.batch.select('all');
    await using open = await OpenRun.create(this.state, batchOf(settings), domains);
    const items = await all(this.batch.run(batchOf(settings), domains, options, open));
    const tally = new Tally();
    for (const item of items) tally.add(item);
    await open.end(tally);
    return items;
  }

  xml(n: number): string | undefined {
    return this.libvirt.domains.get(uuidOf(n))?.xml;
  }

  run() {
    const [run] = this.state.runs();
    if (!run) throw new Error('no run is kept');
    return run;
  }
}

const whatBecame = (items: readonly DomainResult[]) => items.map(({ name, verdict, why }) => [name, verdict, why]);

describe('libvirt domains in a batch', () => {
  it('are converted, and their former XML is kept, readable by its owner only', async () => {
    const trial = new Trial(new MemoryLibvirt(vm(NAME), vm('b', { xml: xmlOf('b').replace('aarch64', 'x86_64') })));
    const before = trial.xml(1);
    const items = await trial.convert();
    expect(whatBecame(items)).toEqual([
      [NAME, 'converted', undefined],
      ['b', 'not-applicable', expect.stringContaining('x86_64')],
    ]);
    expect(items[0]).toMatchObject({ id: uuidOf(1), loses: ['migration', 'save', 'memory snapshots'] });
    expect(items[0]?.devices).toEqual({ placed: 2, total: 5 });
    expect(trial.xml(1)).toBe(converted);
    expect(trial.libvirt.defined.map(({ validate }) => validate)).toEqual([true]);
    const [backup = '', ...others] = readdirSync(join(trial.run().path, 'backup'));
    expect(others).toEqual([]);
    expect(backup).toContain(uuidOf(1));
    expect(readFileSync(join(trial.run().path, 'backup', backup), 'utf8')).toBe(before);
  });

  it('are only reported in a dry run, with texts and plan if requested', async () => {
    const trial = new Trial(new MemoryLibvirt(vm(NAME)));
    const domains = await trial.batch.select('all');
    const want = { texts: true, plans: true, details: true };
    const [item] = await all(trial.batch.run(batchOf(), domains, { ...OPTIONS, want }, undefined));
    expect(item).toMatchObject({ verdict: 'convert', plan: { changed: true } });
    expect(item?.texts).toEqual({ before: text, after: converted });
    const [bare] = await all(trial.batch.run(batchOf(), domains, OPTIONS, undefined));
    expect(bare).toMatchObject({ texts: undefined, plan: undefined });
    expect(trial.libvirt.defined).toEqual([]);
  });

  it('are reported with their state', async () => {
    const states = ['running', 'paused', 'shutoff', 'other'] as const;
    const trial = new Trial(new MemoryLibvirt(...states.map((state) => vm(state, { state }))));
    expect((await trial.convert()).map(({ running }) => running)).toEqual([true, true, false, true]);
  });

  it('are skipped if they are transient, or have saved memory that would not match', async () => {
    const trial = new Trial(
      new MemoryLibvirt(
        vm('transient', { persistent: false }),
        vm('saved', { managedSave: true }),
        vm('frozen', { snapshots: true, memorySnapshots: ['one', 'two'] }),
        vm('disks', { snapshots: true }),
      ),
    );
    expect(whatBecame(await trial.convert())).toEqual([
      ['transient', 'skipped', 'it is transient, so it has no next start'],
      ['saved', 'skipped', 'the memory of the domain is saved for its next start (managed save)'],
      ['frozen', 'skipped', '2 of its snapshots contain its memory'],
      ['disks', 'converted', undefined],
    ]);
    expect(whatBecame(await trial.convert({ saved: true }))).toEqual([
      ['transient', 'skipped', 'it is transient, so it has no next start'],
      ['saved', 'converted', undefined],
      ['frozen', 'converted', undefined],
      ['disks', 'unchanged', undefined],
    ]);
  });

  it('fail if they no longer exist, and the others are converted', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a'), vm('b')));
    trial.libvirt.beforeDump = () => trial.libvirt.domains.delete(uuidOf(1));
    expect(whatBecame(await trial.convert())).toEqual([
      ['a', 'failed', 'the domain no longer exists: it was removed in the meantime'],
      ['b', 'converted', undefined],
    ]);
  });

  it('fail if they were edited in the meantime, and keep the edit', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a')));
    let dumps = 0;
    trial.libvirt.beforeDump = (uuid) => {
      const domain = trial.libvirt.domains.get(uuid);
      if (domain && ++dumps === 2) domain.xml += '<!-- edited -->';
    };
    const [item] = await trial.convert();
    expect(item).toMatchObject({ verdict: 'failed', diagnostics: [{ code: 'domain-edited' }] });
    expect(trial.xml(1)).toBe(`${xmlOf('a')}<!-- edited -->`);
  });

  it('may be stored as different XML if that needs no further change', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a')));
    trial.libvirt.store = (xml) => `${xml}\n`;
    expect(whatBecame(await trial.convert())).toEqual([['a', 'converted', undefined]]);
    const { changes } = await readHistory(trial.run());
    const [change] = changes.values();
    expect(change?.stored).not.toBe(change?.begin.after);
  });

  it('get their former XML back if libvirt did not store the given XML', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a')));
    trial.libvirt.store = (xml) => (xml.includes("accel='on'") ? xml.replaceAll(" accel='on'", '') : xml);
    const [item] = await trial.convert();
    expect(item).toMatchObject({ verdict: 'failed', diagnostics: [{ code: 'read-back-differs' }] });
    expect(trial.xml(1)).toBe(xmlOf('a'));
    expect(trial.libvirt.defined.map(({ validate }) => validate)).toEqual([true, false]);
  });

  it('fail one by one if libvirt refuses, and end the run if libvirt cannot be reached', async () => {
    const failing = (why: Diagnostic): Trial => {
      const trial = new Trial(new MemoryLibvirt(vm('a'), vm('b')));
      trial.libvirt.beforeDump = (uuid) => {
        if (uuid === uuidOf(1)) throw new EnvironmentError(why);
      };
      return trial;
    };
    expect(
      whatBecame(await failing(libvirtRefused.command({ command: 'dumpxml', error: 'broken' })).convert()),
    ).toEqual([
      ['a', 'failed', 'virsh dumpxml: broken'],
      ['b', 'converted', undefined],
    ]);
    await expect(failing(libvirtUnreachable({ uri: '', why: 'broken' })).convert()).rejects.toThrow('broken');
  });

  it('are read by as many connections as there are jobs, all closed at the end', async () => {
    await using four = LibvirtBatch.open('memory:///', 4);
    expect(four.connections).toHaveLength(4);
    const [one, two] = [new MemoryLibvirt(), new MemoryLibvirt()];
    await new LibvirtBatch([one, two])[Symbol.asyncDispose]();
    expect([one.closed, two.closed]).toEqual([true, true]);
  });

  it('are reported in the order of the list, also with several connections', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `vm-${i}`);
    const libvirt = new MemoryLibvirt(...names.map((name) => vm(name)));
    const batch = new LibvirtBatch([libvirt, libvirt]);
    const items = await all(batch.run(batchOf(), await batch.select('all'), OPTIONS, undefined));
    expect(whatBecame(items)).toEqual(names.map((name) => [name, 'convert', undefined]));
  });

  it('are chosen by name or UUID, each once, in the order of the list', async () => {
    const { batch } = new Trial(new MemoryLibvirt(vm('a'), vm('b'), vm('c')));
    expect((await batch.select(['c', 'a', uuidOf(1)])).map(({ name }) => name)).toEqual(['a', 'c']);
    expect(await batch.select('all')).toHaveLength(3);
    await expect(batch.select(['d'])).rejects.toThrow('no domain d');
  });
});

describe('an interrupted run', () => {
  /** A run in which two domains have a result and a third was changed just before the interruption. */
  async function interrupted(trial: Trial): Promise<void> {
    const domains = await trial.batch.select('all');
    await using open = await OpenRun.create(trial.state, batchOf(), domains);
    for await (const _ of trial.batch.run(batchOf(), domains.slice(0, 2), OPTIONS, open));
    const { journal } = open;
    const append = journal.append.bind(journal);
    journal.append = async (entry, options) => {
      if (entry.event !== 'begin') throw new Error('killed');
      await append(entry, options);
    };
    await all(trial.batch.run(batchOf(), domains.slice(2, 3), OPTIONS, open)).catch(() => undefined);
  }

  it('continues with the domains that have no result or failed, and names those that no longer exist', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a'), vm('b', { xml: 'broken' }), vm('c'), vm('d'), vm('e')));
    await interrupted(trial);
    trial.libvirt.domains.delete(uuidOf(5));
    const { domains, gone } = await trial.batch.remaining(await readHistory(trial.run()));
    expect(domains.map(({ name }) => name)).toEqual(['c', 'd']);
    expect(gone).toMatchObject([
      {
        id: uuidOf(5),
        name: 'e',
        verdict: 'failed',
        why: 'the domain no longer exists: it was removed in the meantime',
        running: false,
      },
    ]);
  });

  it('does not define a domain again that was changed just before the interruption', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a'), vm('b'), vm('c'), vm('d')));
    await interrupted(trial);
    expect(trial.libvirt.defined).toHaveLength(3);
    const { open, history } = await OpenRun.reopen(trial.run());
    const { domains } = await trial.batch.remaining(history);
    const items = await all(trial.batch.run(batchOf(), domains, OPTIONS, open));
    await open.journal.close();
    expect(whatBecame(items)).toEqual([
      ['c', 'converted', undefined],
      ['d', 'converted', undefined],
    ]);
    expect(trial.libvirt.defined).toHaveLength(4);
  });

  it('is rolled back up to the interruption', async () => {
    const trial = new Trial(new MemoryLibvirt(vm('a'), vm('b'), vm('c'), vm('d')));
    await interrupted(trial);
    trial.libvirt.domains.delete(uuidOf(2));
    const { open, history } = await OpenRun.reopen(trial.run());
    const changes = [...history.changes.values()];
    const how = { run: open.run, journal: open.journal, changes, stores: [libvirtStore(trial.libvirt)], force: false };
    const items = await all(rollBack({ ...how, signal: OPTIONS.signal }));
    await open.journal.close();
    expect(whatBecame(items).sort()).toEqual([
      ['a', 'restored', undefined],
      ['b', 'failed', 'the domain no longer exists: it was removed in the meantime'],
      ['c', 'restored', undefined],
    ]);
    expect([1, 3, 4].map((n) => trial.xml(n))).toEqual(['a', 'c', 'd'].map((name) => xmlOf(name)));
  });
});
