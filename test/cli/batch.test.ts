import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

const HOST = join(REPOSITORY, 'samples/hosts/host-a.json');
const SAMPLE = join(REPOSITORY, 'samples/domains/ml-train.xml');
const text = readFileSync(SAMPLE, 'utf8');
const converted = vsmmu(['rewrite', '--topology', HOST, SAMPLE]).stdout;

/** A folder of files, and another for the state. */
interface Place {
  readonly folder: string;
  readonly state: string;
  batch(...args: readonly string[]): Run;
  read(file: string): string;
}

function place(files: Readonly<Record<string, string>>): Place {
  const top = temporaryFolder();
  const folder = join(top, 'in');
  const state = join(top, 'state');
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), content);
  }
  return {
    folder,
    state,
    batch: (command, ...args) => vsmmu(['batch', command ?? '', '--state', state, ...args]),
    read: (file) => readFileSync(join(folder, file), 'utf8'),
  };
}

const convert = ({ folder }: Place): string[] => ['convert', '--dir', folder, '--topology', HOST];

/** Of every kind one. */
const MIXED = {
  'a/vm.xml': text,
  'b/other.xml': text.replace('aarch64', 'x86_64'),
  'b/broken.xml': text.slice(0, 700),
  'b/empty.xml': '',
  'b/elsewhere.xml': text.replaceAll("bus='0x91'", "bus='0x77'"),
  'networks/default.xml': '<network><name>default</name></network>',
  'notes.txt': 'no XML',
};

const verdicts = (run: Run): Record<string, string> =>
  Object.fromEntries(
    (JSON.parse(run.stdout) as { domains: { id: string; verdict: string }[] }).domains.map((d) => [d.id, d.verdict]),
  );

describe('batch convert of a folder', () => {
  it('tells what it would do and does nothing', () => {
    const here = place(MIXED);
    const run = here.batch(...convert(here), '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toEqual({
      'a/vm.xml': 'convert',
      'b/broken.xml': 'cannot',
      'b/elsewhere.xml': 'cannot',
      'b/empty.xml': 'cannot',
      'b/other.xml': 'not-ours',
      'networks/default.xml': 'not-ours',
    });
    expect(here.read('a/vm.xml')).toBe(text);
    expect(existsSync(here.state)).toBe(false);
  });

  it('says in a table what would become of each domain, and why of none', () => {
    const here = place({ 'vm.xml': text, 'x.xml': text.replace('aarch64', 'x86_64').replace('ml-train-01', 'other') });
    expect(here.batch(...convert(here))).toMatchObject({
      code: 0,
      stdout: `convert     ml-train-01               no more migration, save, memory snapshots
not for us  other                     the domain is for x86_64, not aarch64
`,
    });
  });

  it('shows a patch with --diff, passwords masked, which is what --apply does', () => {
    const here = place({ 'vm.xml': text.replace('<audio', "<graphics type='vnc' passwd='s3cret'/>\n    <audio") });
    const run = here.batch(...convert(here), '--diff');
    expect(run.stdout).toMatch(/^--- vm\.xml$/m);
    expect(run.stdout).toMatch(/^\+ {6}<driver pciBus='10' accel='on'\/>$/m);
    expect(run.stdout + run.stderr).not.toContain('s3cret');
  });

  it('writes the results below another folder, with the modes of the originals, and nothing the second time', () => {
    const here = place(MIXED);
    chmodSync(join(here.folder, 'a/vm.xml'), 0o640);
    const out = join(here.folder, '../out');
    const run = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toMatchObject({ 'a/vm.xml': 'written', 'b/other.xml': 'copied', 'b/broken.xml': 'cannot' });
    expect(readFileSync(join(out, 'a/vm.xml'), 'utf8')).toBe(converted);
    expect(statSync(join(out, 'a/vm.xml')).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(out, 'b'))).toEqual(['other.xml']);
    const again = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(JSON.parse(again.stdout).changed).toBe(false);
  });

  it('changes files in place, keeping their modes, and leaves nothing beside them', () => {
    const here = place(MIXED);
    chmodSync(join(here.folder, 'a/vm.xml'), 0o640);
    const run = here.batch(...convert(here), '--in-place', '--apply');
    expect(run.code).toBe(1);
    expect(here.read('a/vm.xml')).toBe(converted);
    expect(statSync(join(here.folder, 'a/vm.xml')).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(here.folder, 'a'))).toEqual(['vm.xml']);
    const again = here.batch(...convert(here), '--in-place', '--apply', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ changed: false, totals: { unchanged: 1 } });
  });

  it('goes on when nobody reads what it tells', () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`vm-${i}.xml`, text]));
    const here = place(files);
    const args = [...convert(here), '--in-place', '--apply', '--state', here.state, '--jobs', '1', '--quiet'];
    const line = `"$@" | head -1`;
    spawnSync('bash', ['-c', line, 'bash', process.execPath, join(REPOSITORY, 'bin/vsmmu'), 'batch', ...args]);
    expect(readdirSync(here.folder).filter((file) => here.read(file) !== converted)).toEqual([]);
  });

  it('gives the files back what they were, byte for byte', () => {
    const here = place(MIXED);
    here.batch(...convert(here), '--in-place', '--apply');
    const back = here.batch('rollback', '--json');
    expect(back.code).toBe(0);
    expect(verdicts(back)).toEqual({ 'a/vm.xml': 'restored' });
    expect(here.read('a/vm.xml')).toBe(text);
  });

  it('keeps a file that was edited since, and says so, unless it is forced', () => {
    const here = place({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const edited = converted.replace('ml-train-01', 'edited');
    writeFileSync(join(here.folder, 'vm.xml'), edited);
    expect(here.batch('rollback')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^cannot .* edited since/m),
    });
    expect(here.read('vm.xml')).toBe(edited);
    expect(here.batch('rollback', '--force').code).toBe(0);
    expect(here.read('vm.xml')).toBe(text);
  });

  it('puts no backup back that is not what was kept', () => {
    const here = place({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const backups = join(here.state, 'runs', run, 'backup');
    for (const file of readdirSync(backups)) writeFileSync(join(backups, file), 'something else');
    expect(here.batch('rollback').stdout).toMatch(/^failed .* its backup is not what was kept/m);
    expect(here.read('vm.xml')).toBe(converted);
  });

  it('leaves symbolic links alone, whose targets are somewhere else or have a name of their own', () => {
    const here = place({ 'vm.xml': text });
    symlinkSync('vm.xml', join(here.folder, 'link.xml'));
    symlinkSync('/etc', join(here.folder, 'etc'));
    const run = here.batch(...convert(here), '--in-place', '--apply', '--json');
    expect(verdicts(run)).toEqual({ 'link.xml': 'skipped', 'vm.xml': 'converted' });
  });

  it('keeps what it knows for its owner alone', () => {
    const here = place({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const paths = readdirSync(here.state, { recursive: true, encoding: 'utf8' });
    const open = ['', ...paths].filter((path) => (statSync(join(here.state, path)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  it('takes the host of each domain from a map, by path, by name, or for all others', () => {
    const gh200 = readFileSync(join(REPOSITORY, 'samples/domains/gh200-vm.xml'), 'utf8');
    const here = place({ 'a/vm.xml': text, 'b/vm.xml': gh200, 'c/vm.xml': text.replace('ml-train-01', 'third') });
    const map = join(here.folder, '../map.json');
    cpSync(join(REPOSITORY, 'samples/hosts'), join(here.folder, '../hosts'), { recursive: true });
    const hosts = { 'a/vm.xml': 'hosts/host-a.json', 'gh200-vm': 'hosts/gh200.json' };
    writeFileSync(map, JSON.stringify(hosts));
    const run = () => here.batch('convert', '--dir', here.folder, '--topology-map', map, '--json');
    expect(verdicts(run())).toEqual({ 'a/vm.xml': 'convert', 'b/vm.xml': 'convert', 'c/vm.xml': 'cannot' });
    writeFileSync(map, JSON.stringify({ ...hosts, '*': 'hosts/host-a.json' }));
    expect(verdicts(run())['c/vm.xml']).toBe('convert');
  });

  it('gives the same with one thread as with several', () => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`vm-${i}.xml`, text]));
    const here = place(files);
    expect(here.batch(...convert(here), '--jobs', '1').stdout).toBe(here.batch(...convert(here), '--jobs', '3').stdout);
  });

  it('writes one page of HTML with the picture of each plan, names as text', () => {
    const here = place({ 'vm.xml': text.replace('ml-train-01', '&lt;script>alert(1)&lt;/script>') });
    const page = join(here.folder, '../report.html');
    here.batch(...convert(here), '--html', page);
    const html = readFileSync(page, 'utf8');
    expect(html.match(/<svg /g)).toHaveLength(1);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('<script');
    expect(existsSync(`${page}.part`)).toBe(false);
  });

  it('ends after a failure with --fail-fast', () => {
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`vm-${String(i).padStart(3, '0')}.xml`, text]),
    );
    const here = place({ ...files, 'vm-005.xml': 'broken' });
    const { code, stdout } = here.batch(...convert(here), '--fail-fast', '--jobs', '2');
    expect(code).toBe(1);
    expect(stdout.match(/vm-\d{3}/g)?.length).toBeLessThan(10);
  });
});

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

describe('a folder that is no good', () => {
  it('is one line and exit code 3', () => {
    const here = place({ 'vm.xml': text });
    const run = vsmmu(['batch', 'convert', '--dir', join(here.folder, 'nowhere'), '--topology', HOST]);
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(/nowhere: error: file-unreadable: no such file or directory/);
  });

  it('does not keep the rest from being converted where one file of it cannot be written', () => {
    const here = place({ 'vm.xml': text, 'sub/vm.xml': text });
    const out = join(here.folder, '../out');
    mkdirSync(out);
    copyFileSync(SAMPLE, join(out, 'sub'));
    const run = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toEqual({ 'sub/vm.xml': 'failed', 'vm.xml': 'written' });
  });
});

describe('the command line of batch', () => {
  it.each<[title: string, args: string[], says: RegExp]>([
    ['no part', ['batch'], /batch does nothing by itself; give one of convert, resume/],
    ['a part that there is not', ['batch', 'convrt'], /did you mean batch convert\?/],
    ['no domain', ['batch', 'convert'], /give the names of domains, or --all/],
    ['domains and --all', ['batch', 'convert', '--all', 'vm'], /give the names of domains, or --all/],
    ['domains of a folder', ['batch', 'convert', '--dir', '.', 'vm'], /with --dir no domain is named: vm/],
    ['--dir and --connect', ['batch', 'convert', '--dir', '.', '--connect', 'x'], /exclude each other/],
    ['--out without --dir', ['batch', 'convert', '--all', '--out', 'x'], /--out goes with --dir/],
    ['--out in --dir', ['batch', 'convert', '--dir', '.', '--out', './x'], /--out is a folder of --dir/],
    ['--state in --dir', ['batch', 'convert', '--dir', '.', '--state', 'x/y'], /--state is a folder of --dir/],
    ['--apply without a place', ['batch', 'convert', '--dir', '.', '--apply'], /needs --out or --in-place/],
    [
      'jobs that are no number',
      ['batch', 'convert', '--dir', 'samples', '--topology', HOST, '--jobs', 'x'],
      /--jobs takes a number/,
    ],
    [
      'a remote libvirt without its host',
      ['batch', 'convert', '--connect', 'qemu+ssh://h/system', '--all'],
      /another machine/,
    ],
    ['a URI that is none', ['batch', 'convert', '--connect', 'a b', '--all'], /is no URI/],
    ['a run that there is not', ['batch', 'resume', '--state', '/nonexistent/..', '../x'], /there is no run/],
    ['nothing to remove', ['batch', 'prune', '--state', '/nonexistent'], /say what to remove/],
  ])('is refused with one line and exit code 2: %s', (_, args, says) => {
    const run = vsmmu(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(says);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
