import fs, { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Journal, readJournal } from '../../src/batch/journal.js';
import type { Entry } from '../../src/generated/journal.js';
import { temporaryFolder } from '../cli/run.js';

const settled = (id: string): Entry => ({ event: 'settled', id, name: id, verdict: 'unchanged' });

async function entriesOf(file: string): Promise<{ entries: Entry[]; size: number }> {
  const entries: Entry[] = [];
  let whole = 0;
  for await (const { entry, size } of readJournal(file)) {
    entries.push(entry);
    whole = size;
  }
  return { entries, size: whole };
}

describe('a journal', () => {
  it('returns the entries in the order in which they were appended', async () => {
    const file = join(temporaryFolder(), 'journal.jsonl');
    const journal = Journal.create(file);
    const entries = Array.from({ length: 100 }, (_, i) => settled(`vm-${i}\nü`));
    await Promise.all(entries.map((entry, i) => journal.append(entry, { sync: i % 10 === 0 })));
    await journal.close();
    expect((await entriesOf(file)).entries).toEqual(entries);
  });

  it('is synced to disk if any of the entries appended together requires it', async () => {
    const { fdatasync } = fs;
    const setSync = (sync: object): void => {
      Object.assign(fs, { fdatasync: sync });
      syncBuiltinESMExports();
    };
    onTestFinished(() => setSync(fdatasync));
    let syncs = 0;
    setSync((fd: number, done: fs.NoParamCallback) => {
      syncs++;
      fdatasync(fd, done);
    });
    const journal = Journal.create(join(temporaryFolder(), 'journal.jsonl'));
    await Promise.all([journal.append(settled('a'), { sync: false }), journal.append(settled('b'))]);
    expect(syncs).toBe(1);
    await journal.append(settled('c'), { sync: false });
    expect(syncs).toBe(1);
    await journal.close();
  });

  it('is readable by its owner only, and never replaces an existing one', () => {
    const file = join(temporaryFolder(), 'journal.jsonl');
    Journal.create(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(() => Journal.create(file)).toThrow(/file already exists/);
  });

  it('loses no whole line wherever it is cut off, and continues after the last one', async () => {
    const file = join(temporaryFolder(), 'journal.jsonl');
    const journal = Journal.create(file);
    for (const id of ['a', 'b', 'c']) await journal.append(settled(id));
    await journal.close();
    const whole = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
        writeFileSync(file, whole);
        truncateSync(file, length);
        const { entries, size } = await entriesOf(file);
        expect(entries).toHaveLength(whole.subarray(0, length).filter((byte) => byte === 0x0a).length);
        const reopened = Journal.reopen(file, size);
        await reopened.append(settled('more'));
        await reopened.close();
        expect((await entriesOf(file)).entries).toEqual([...entries, settled('more')]);
      }),
    );
  });

  it.each([
    ['not JSON', 'nonsense'],
    ['not an entry', '{"event":"gone"}'],
    ['an entry with an unknown key', '{"event":"undone","id":"x","more":1}'],
    [
      'an entry whose backup is outside the run',
      JSON.stringify({ ...beginEntry(), backup: 'backup/../../../etc/shadow' }),
    ],
  ])('with a line that is %s gives an error with the line number', async (_, line) => {
    const file = join(temporaryFolder(), 'journal.jsonl');
    writeFileSync(file, `${JSON.stringify(settled('a'))}\n${line}\n`);
    await expect(entriesOf(file)).rejects.toMatchObject({
      diagnostics: [{ code: 'journal-invalid', file, location: { line: 2, column: 1 } }],
    });
  });

  it('is unchanged if an entry cannot be written', async () => {
    const journal = Journal.create(join(temporaryFolder(), 'journal.jsonl'));
    await journal.append(settled('a'));
    await journal.close();
    await expect(journal.append(settled('b'))).rejects.toMatchObject({ diagnostics: [{ code: 'state-unwritable' }] });
  });

  it('that another program lengthened is used only up to its last whole line', async () => {
    const file = join(temporaryFolder(), 'journal.jsonl');
    writeFileSync(file, `${JSON.stringify(settled('a'))}\n`);
    appendFileSync(file, '{"event":"undo');
    expect((await entriesOf(file)).entries).toEqual([settled('a')]);
  });
});

function beginEntry(): Entry {
  const digest = '0'.repeat(64);
  const at = '2026-01-01T00:00:00.000Z';
  return { event: 'begin', at, id: 'x', name: 'x', before: digest, after: digest, backup: 'backup/0.xml' };
}
