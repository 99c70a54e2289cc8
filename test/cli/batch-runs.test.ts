import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, converted, sandbox, text, verdicts } from './batch-sandbox.js';
import { REPOSITORY, vsmmu } from './run.js';

describe('batch runs', () => {
  it('are listed with their changes, and runs in which nothing happened are not kept', () => {
    const here = sandbox({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch('rollback');
    expect(here.batch('list').stdout).toMatch(/^\d{4}-\d{8}T\d{6}Z {2}finished {4}\S+ {2}1 changed, rolled back\n$/);
    const { runs } = JSON.parse(here.batch('list', '--json').stdout);
    expect(runs).toMatchObject([{ of: here.folder, changed: 1, restored: 1, failed: 0 }]);
  });

  it('are listed with what they read and wrote, and with what failed', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': text, 'c.xml': '<domain>' });
    const out = join(here.state, 'out');
    here.batch(...convert(here), '--out', out, '--apply');
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch('rollback', 'a.xml');
    const list = () =>
      here
        .batch('list')
        .stdout.split('\n')
        .map((line) => line.replace(/^\S+ {2}/, ''));
    expect(list()).toEqual([
      `finished    ${here.folder} to ${out}  2 changed, 1 failed`,
      `finished    ${here.folder}  2 changed, 1 failed, 1 rolled back`,
      '',
    ]);
    here.batch('rollback');
    expect(list()[1]).toBe(`finished    ${here.folder}  2 changed, 1 failed, rolled back`);
    const [first, second] = JSON.parse(here.batch('list', '--json').stdout).runs;
    expect(first).toMatchObject({ of: `${here.folder} to ${out}`, changed: 2, restored: 0, failed: 1 });
    expect([first.began < first.ended, first.run < second.run]).toEqual([true, true]);
    expect(here.batch('rollback', '--run', first.run)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`wrote its results to ${out}, so there is nothing to roll back`),
    });
    expect(here.batch('rollback', '--run', second.run, 'd.xml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('domain-unknown: the run did not change a domain d.xml'),
    });
  });

  it('are listed even if the journal of another one is broken', () => {
    const here = sandbox({ 'a.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch('rollback');
    here.batch(...convert(here), '--in-place', '--apply');
    const [first = ''] = readdirSync(join(here.state, 'runs')).sort();
    const journal = join(here.state, 'runs', first, 'journal.jsonl');
    writeFileSync(journal, `{}\n${readFileSync(journal, 'utf8')}`);
    const { code, stdout, stderr } = here.batch('list');
    expect(code).not.toBe(0);
    expect(stderr).toContain(`${journal}:1:1: error: journal-invalid: `);
    expect(stdout.split('\n')).toEqual([expect.stringContaining('1 changed'), '']);
    // Only a prune that names the broken run removes it.
    here.batch('prune', '--keep', '0');
    expect(readdirSync(join(here.state, 'runs'))).toEqual([first]);
    expect(JSON.parse(here.batch('prune', '--json', first).stdout)).toEqual({
      changed: true,
      diagnostics: [],
      removed: [first],
    });
    expect(JSON.parse(here.batch('prune', '--json', '--keep', '0').stdout)).toMatchObject({
      changed: false,
      removed: [],
    });
  });

  it('are named in the output of --json only if they are kept', () => {
    const here = sandbox({ 'vm.xml': text });
    const apply = () => JSON.parse(here.batch(...convert(here), '--in-place', '--apply', '--json').stdout);
    expect(apply().run).toMatch(/^\d{4}-\d{8}T\d{6}Z$/);
    expect(apply()).toMatchObject({ changed: false, run: null });
  });

  it('print commands for resume and rollback that a shell accepts', () => {
    const here = sandbox({ 'vm.xml': text });
    const state = join(here.state, "it's");
    const { stderr } = vsmmu(['batch', ...convert(here), '--in-place', '--apply', '--state', state]);
    const [, line = ''] = /to undo: vsmmu (.*)$/m.exec(stderr) ?? [];
    const back = spawnSync('sh', ['-c', `exec "$0" "$1" ${line}`, process.execPath, join(REPOSITORY, 'bin/vsmmu')]);
    expect(back.status).toBe(0);
    expect(here.read('vm.xml')).toBe(text);
  });

  it('are removed by name, by number and by age', () => {
    const here = sandbox({ 'vm.xml': text });
    for (let i = 0; i < 3; i++) {
      here.batch(...convert(here), '--in-place', '--apply');
      here.batch('rollback');
    }
    const ids = () => JSON.parse(here.batch('list', '--json').stdout).runs.map(({ run }: { run: string }) => run);
    const [first, , third] = ids();
    expect(here.batch('prune', first).stdout).toBe(`removed ${first}\n`);
    expect(here.batch('prune', '--days', '1').stdout).toBe('');
    here.batch('prune', '--keep', '1');
    expect(ids()).toEqual([third]);
  });

  it('resume where they were interrupted, whatever the last line of the journal', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const journal = join(here.state, 'runs', run, 'journal.jsonl');
    const lines = readFileSync(journal, 'utf8').split('\n');
    const begins = lines.filter((line) => /"run"|"begin"/.test(line));
    // Killed after both files were changed, while it was writing the entry.
    writeFileSync(journal, `${begins.join('\n')}\n{"event":"do`);
    const resumed = here.batch('resume', '--json');
    expect(JSON.parse(resumed.stdout)).toMatchObject({ totals: { converted: 2 } });
    expect(here.batch('rollback').code).toBe(0);
    expect([here.read('a.xml'), here.read('b.xml')]).toEqual([text, text]);
  });

  it('resume with files whose conversion is incomplete', () => {
    const here = sandbox({ 'a.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const journal = join(here.state, 'runs', run, 'journal.jsonl');
    const begins = readFileSync(journal, 'utf8')
      .split('\n')
      .filter((line) => /"run"|"begin"/.test(line));
    writeFileSync(journal, `${begins.join('\n')}\n`);
    writeFileSync(join(here.folder, 'a.xml'), text);
    expect(here.batch('list').stdout).toContain('unfinished');
    expect(here.batch('resume').code).toBe(0);
    expect(here.read('a.xml')).toBe(converted);
  });

  it('cannot be resumed if none exists', () => {
    const here = sandbox({ 'a.xml': text });
    expect(here.batch('resume')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^vsmmu: error: run-unknown: /),
    });
  });

  it.each([['resume'], ['rollback'], ['prune', '--keep', '0'], ['list']])(
    'are searched by %s without creating a folder for them',
    (...args) => {
      const here = sandbox({});
      here.batch(...args);
      expect(existsSync(here.state)).toBe(false);
    },
  );

  it('give a one-line error if the state folder is a file', () => {
    const here = sandbox({});
    writeFileSync(here.state, '');
    expect(here.batch('list')).toMatchObject({
      code: 3,
      stderr: `${here.state}/runs: error: file-unreadable: a part of its path is not a folder\n`,
    });
  });

  it('without changes are skipped by rollback, which takes the newest one with changes', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [first] = readdirSync(join(here.state, 'runs'));
    // A run without changes, which is kept because a domain failed.
    const lines = readFileSync(join(here.state, 'runs', first ?? '', 'journal.jsonl'), 'utf8').split('\n');
    const settled = JSON.stringify({ event: 'settled', id: 'c.xml', name: 'c', verdict: 'failed' });
    mkdirSync(join(here.state, 'runs/9999-20260101T000000Z'));
    writeFileSync(join(here.state, 'runs/9999-20260101T000000Z/journal.jsonl'), `${lines[0]}\n${settled}\n`);
    expect(verdicts(here.batch('rollback', '--json'))).toEqual({ 'a.xml': 'restored', 'b.xml': 'restored' });
  });

  it('are ordered by number for rollback, even if the clock was set back', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': 'not yet' });
    here.batch(...convert(here), '--in-place', '--apply');
    const runs = join(here.state, 'runs');
    renameSync(join(runs, readdirSync(runs)[0] ?? ''), join(runs, '0001-99990101T000000Z'));
    writeFileSync(join(here.folder, 'b.xml'), text);
    here.batch(...convert(here), '--in-place', '--apply');
    expect(verdicts(here.batch('rollback', '--json'))).toEqual({ 'b.xml': 'restored' });
    expect(here.batch('list').stdout).toMatch(/^0001-9999.*\n0002-/);
  });

  it('are rolled back by file, so that two domains with the same name are not confused', () => {
    const here = sandbox({ 'h1/vm.xml': text, 'h2/vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const ambiguous = here.batch('rollback', 'ml-train-01');
    expect(ambiguous).toMatchObject({ code: 2, stdout: '' });
    expect(ambiguous.stderr).toContain('2 domains called ml-train-01; give one of h1/vm.xml, h2/vm.xml');
    expect(verdicts(here.batch('rollback', '--json', 'h2/vm.xml'))).toEqual({ 'h2/vm.xml': 'restored' });
    expect(here.read('h1/vm.xml')).toBe(converted);
  });

  it('are not resumed if their rollback has begun', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': 'broken' });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const journal = join(here.state, 'runs', run, 'journal.jsonl');
    const lines = readFileSync(journal, 'utf8').split('\n');
    // Interrupted; its rollback was killed between the change of the file and the journal entry.
    const undo = JSON.stringify({ event: 'undo', at: '2026-01-01T00:00:00.000Z', id: 'a.xml' });
    writeFileSync(journal, [...lines.filter((line) => line && !line.includes('"end"')), undo, ''].join('\n'));
    writeFileSync(join(here.folder, 'a.xml'), text);
    expect(here.batch('resume')).toMatchObject({ code: 2, stderr: expect.stringContaining('is unfinished') });
    expect(here.batch('rollback').stdout).toMatch(/^unchanged /);
    expect(here.batch('list').stdout).toContain('1 changed, 1 failed, rolled back');
    expect(JSON.parse(here.batch('resume', run, '--json').stdout).totals).toEqual({ restored: 1, refused: 1 });
  });
});
