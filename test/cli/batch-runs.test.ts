import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, converted, place, text } from './batch-place.js';
import { REPOSITORY, vsmmu } from './run.js';

describe('runs', () => {
  it('are listed with what they changed, and those in which nothing happened are not kept', () => {
    const here = place({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch(...convert(here), '--in-place', '--apply');
    here.batch('rollback');
    expect(here.batch('list').stdout).toMatch(/^\d{8}T\d{6}Z {2}finished {5}\S+ {2}1 changed, rolled back\n$/);
    const { runs } = JSON.parse(here.batch('list', '--json').stdout);
    expect(runs).toMatchObject([{ of: here.folder, changed: 1, restored: 1, failed: 0 }]);
  });

  it('are named in the document of --json only where they are kept', () => {
    const here = place({ 'vm.xml': text });
    const apply = () => JSON.parse(here.batch(...convert(here), '--in-place', '--apply', '--json').stdout);
    expect(apply().run).toMatch(/^\d{8}T\d{6}Z$/);
    expect(apply()).toMatchObject({ changed: false, run: null });
  });

  it('say how to go on or back in words that a shell takes', () => {
    const here = place({ 'vm.xml': text });
    const state = join(here.state, "it's");
    const { stderr } = vsmmu(['batch', ...convert(here), '--in-place', '--apply', '--state', state]);
    const [, line = ''] = /to go back: vsmmu (.*)$/m.exec(stderr) ?? [];
    const back = spawnSync('sh', ['-c', `exec "$0" "$1" ${line}`, process.execPath, join(REPOSITORY, 'bin/vsmmu')]);
    expect(back.status).toBe(0);
    expect(here.read('vm.xml')).toBe(text);
  });

  it('are removed by name, by number and by age', () => {
    const here = place({ 'vm.xml': text });
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

  it('go on where they were, whatever the journal ends with', () => {
    const here = place({ 'a.xml': text, 'b.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const journal = join(here.state, 'runs', run, 'journal.jsonl');
    const lines = readFileSync(journal, 'utf8').split('\n');
    const begins = lines.filter((line) => /"run"|"begin"/.test(line));
    // Killed between the change of both files and its entry, in the middle of writing that.
    writeFileSync(journal, `${begins.join('\n')}\n{"event":"do`);
    const resumed = here.batch('resume', '--json');
    expect(JSON.parse(resumed.stdout)).toMatchObject({ totals: { converted: 2 } });
    expect(here.batch('rollback').code).toBe(0);
    expect([here.read('a.xml'), here.read('b.xml')]).toEqual([text, text]);
  });

  it('go on with what was begun and not done', () => {
    const here = place({ 'a.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const journal = join(here.state, 'runs', run, 'journal.jsonl');
    const begins = readFileSync(journal, 'utf8')
      .split('\n')
      .filter((line) => /"run"|"begin"/.test(line));
    writeFileSync(journal, `${begins.join('\n')}\n`);
    writeFileSync(join(here.folder, 'a.xml'), text);
    expect(here.batch('list').stdout).toContain('interrupted');
    expect(here.batch('resume').code).toBe(0);
    expect(here.read('a.xml')).toBe(converted);
  });

  it('are not gone on with where none is unfinished', () => {
    const here = place({ 'a.xml': text });
    expect(here.batch('resume')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^vsmmu: error: run-unknown: /),
    });
  });
});
