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
import { convert, converted, HOST, SAMPLE, sandbox, text, verdicts } from './batch-sandbox.js';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

/** One file of each kind. */
const MIXED = {
  'a/vm.xml': text,
  'b/other.xml': text.replace('aarch64', 'x86_64'),
  'b/broken.xml': text.slice(0, 700),
  'b/empty.xml': '',
  'b/elsewhere.xml': text.replaceAll("bus='0x91'", "bus='0x77'"),
  'networks/default.xml': '<network><name>default</name></network>',
  'notes.txt': 'no XML',
};

describe('batch convert of a folder', () => {
  it('reports what it would do, and changes nothing', () => {
    const here = sandbox(MIXED);
    const run = here.batch(...convert(here), '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toEqual({
      'a/vm.xml': 'convert',
      'b/broken.xml': 'refused',
      'b/elsewhere.xml': 'refused',
      'b/empty.xml': 'refused',
      'b/other.xml': 'not-applicable',
      'networks/default.xml': 'not-applicable',
    });
    expect(here.read('a/vm.xml')).toBe(text);
    expect(existsSync(here.state)).toBe(false);
  });

  it('plans from scratch with --relayout, and changes nothing the second time', () => {
    const here = sandbox({ 'a/vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    expect(here.read('a/vm.xml')).toBe(converted);
    const relayout = [...convert(here), '--in-place', '--relayout', '--bus-window', '20'];
    expect(here.batch(...relayout, '--apply').code).toBe(0);
    expect(here.read('a/vm.xml')).not.toBe(converted);
    expect(verdicts(here.batch(...relayout, '--json'))).toEqual({ 'a/vm.xml': 'unchanged' });
  });

  it('prints a table with the verdict of each domain, and the reason if it is not converted', () => {
    const here = sandbox({ 'a/vm.xml': text, 'x.xml': text.replace('aarch64', 'x86_64') });
    expect(here.batch(...convert(here))).toMatchObject({
      code: 0,
      stdout: `convert         a/vm.xml                  2 of 5 placed; no longer possible: migration, save, memory snapshots
not applicable  x.xml                     the domain is for x86_64, not aarch64
`,
    });
  });

  it('prints how many host devices of a domain are placed, if some stay on pcie.0', () => {
    const here = sandbox({ 'vm.xml': text });
    const bypass = [...convert(here), '--bypass', '0000:31:10.2'];
    const page = join(here.folder, '../report.html');
    const remark = '1 of 5 placed; no longer possible: migration, save, memory snapshots';
    expect(here.batch(...bypass, '--html', page).stdout).toBe(`convert         vm.xml                    ${remark}\n`);
    expect(readFileSync(page, 'utf8')).toContain(`<span class="why">${remark}</span>`);
    const { domains } = JSON.parse(here.batch(...bypass, '--json').stdout);
    expect(domains).toMatchObject([{ devices: { placed: 1, total: 5 } }]);
  });

  it('prints the file and the location of each diagnostic', () => {
    const here = sandbox({ 'a/vm.xml': text });
    const { stderr } = here.batch(...convert(here));
    expect(stderr).toContain(`${join(here.folder, 'a/vm.xml')}:125:5: warning: device-without-group: `);
  });

  it('warns once if the installed libvirt would drop what it writes, unless --libvirt names another', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': text });
    const old = temporaryFolder();
    for (const file of ['domaincommon.rng', 'basictypes.rng']) writeFileSync(join(old, file), '<grammar/>');
    const run = (...args: string[]) => vsmmu(['batch', ...convert(here), ...args], '', { VSMMU_LIBVIRT_SCHEMAS: old });
    const warning = /^vsmmu: warning: libvirt-too-old: .* virsh define without --validate would drop them;/gm;
    expect(run().stderr.match(warning)).toHaveLength(1);
    expect(JSON.parse(run('--json').stdout).diagnostics).toMatchObject([{ code: 'libvirt-too-old' }]);
    expect(run('--libvirt', '12.8.0').stderr).not.toContain('libvirt-too-old');
    for (const file of ['a.xml', 'b.xml']) writeFileSync(join(here.folder, file), converted);
    expect(run().stderr).not.toContain('libvirt-too-old');
  });

  it('shows the changes that --apply would make as a patch with --diff, with passwords masked', () => {
    const here = sandbox({ 'vm.xml': text.replace('<audio', "<graphics type='vnc' passwd='s3cret'/>\n    <audio") });
    const run = here.batch(...convert(here), '--diff');
    expect(run.stdout).toMatch(/^--- vm\.xml$/m);
    expect(run.stdout).toMatch(/^\+ {6}<driver pciBus='10' accel='on'\/>$/m);
    expect(run.stdout + run.stderr).not.toContain('s3cret');
  });

  it('prints a line per domain on standard error with --diff; with --quiet only for those that fail', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': '<domain>', 'c.xml': converted });
    const lines = (...options: string[]) =>
      here
        .batch(...convert(here), '--diff', ...options)
        .stderr.match(/^\w+ +\w\.xml/gm)
        ?.map((line) => line.replace(/ +/, ' '));
    expect(lines()).toEqual(['convert a.xml', 'refused b.xml', 'unchanged c.xml']);
    expect(lines('--quiet')).toEqual(['refused b.xml']);
  });

  it('writes the results below another folder, with the modes of the originals, and nothing the second time', () => {
    const here = sandbox(MIXED);
    chmodSync(join(here.folder, 'a/vm.xml'), 0o640);
    const out = join(here.folder, '../out');
    const run = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toMatchObject({ 'a/vm.xml': 'written', 'b/other.xml': 'copied', 'b/broken.xml': 'refused' });
    expect(readFileSync(join(out, 'a/vm.xml'), 'utf8')).toBe(converted);
    expect(statSync(join(out, 'a/vm.xml')).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(out, 'b'))).toEqual(['other.xml']);
    const again = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(JSON.parse(again.stdout).changed).toBe(false);
  });

  it('changes files in place, keeping their modes, and leaves nothing beside them', () => {
    const here = sandbox(MIXED);
    chmodSync(join(here.folder, 'a/vm.xml'), 0o640);
    const run = here.batch(...convert(here), '--in-place', '--apply');
    expect(run.code).toBe(1);
    expect(here.read('a/vm.xml')).toBe(converted);
    expect(statSync(join(here.folder, 'a/vm.xml')).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(here.folder, 'a'))).toEqual(['vm.xml']);
    const again = here.batch(...convert(here), '--in-place', '--apply', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ changed: false, totals: { unchanged: 1 } });
  });

  it('continues if its output is closed', () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`vm-${i}.xml`, text]));
    const here = sandbox(files);
    const args = [...convert(here), '--in-place', '--apply', '--state', here.state, '--jobs', '1', '--quiet'];
    const line = `"$@" | head -1`;
    spawnSync('bash', ['-c', line, 'bash', process.execPath, join(REPOSITORY, 'bin/vsmmu'), 'batch', ...args]);
    expect(readdirSync(here.folder).filter((file) => here.read(file) !== converted)).toEqual([]);
  });

  it('restores the files byte for byte on rollback', () => {
    const here = sandbox(MIXED);
    here.batch(...convert(here), '--in-place', '--apply');
    const back = here.batch('rollback', '--json');
    expect(back.code).toBe(0);
    expect(verdicts(back)).toEqual({ 'a/vm.xml': 'restored' });
    expect(here.read('a/vm.xml')).toBe(text);
  });

  it('keeps a file that was edited afterwards, and reports it, unless --force is given', () => {
    const here = sandbox({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const edited = converted.replace('ml-train-01', 'edited');
    writeFileSync(join(here.folder, 'vm.xml'), edited);
    expect(here.batch('rollback')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^refused .* edited since/m),
    });
    expect(here.read('vm.xml')).toBe(edited);
    expect(here.batch('rollback', '--force').code).toBe(0);
    expect(here.read('vm.xml')).toBe(text);
  });

  it('does not restore a backup that was changed', () => {
    const here = sandbox({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const [run = ''] = readdirSync(join(here.state, 'runs'));
    const backups = join(here.state, 'runs', run, 'backup');
    for (const file of readdirSync(backups)) writeFileSync(join(backups, file), 'something else');
    expect(here.batch('rollback').stdout).toMatch(
      /^failed .* the backup of the domain was changed after it was saved/m,
    );
    expect(here.read('vm.xml')).toBe(converted);
  });

  it('ignores symbolic links, since their targets are outside the folder or are found under their own names', () => {
    const here = sandbox({ 'vm.xml': text });
    symlinkSync('vm.xml', join(here.folder, 'link.xml'));
    symlinkSync('/etc', join(here.folder, 'etc'));
    const run = here.batch(...convert(here), '--in-place', '--apply', '--json');
    expect(verdicts(run)).toEqual({ 'link.xml': 'skipped', 'vm.xml': 'converted' });
  });

  it('treats a link to the folder as the folder itself, so that no files are lost', () => {
    const here = sandbox({ 'vm.xml': text });
    const link = join(here.folder, '../link');
    symlinkSync('in', link);
    const refusal = (option: string) => ({
      code: 2,
      stderr: expect.stringContaining(`${option} must not be inside --dir`),
    });
    expect(here.batch(...convert(here), '--out', link, '--apply')).toMatchObject(refusal('--out'));
    const state = vsmmu(['batch', ...convert(here), '--in-place', '--apply', '--state', join(link, 'state')]);
    expect(state).toMatchObject(refusal('--state'));
    expect(here.read('vm.xml')).toBe(text);
  });

  it('makes its state readable by its owner only', () => {
    const here = sandbox({ 'vm.xml': text });
    here.batch(...convert(here), '--in-place', '--apply');
    const paths = readdirSync(here.state, { recursive: true, encoding: 'utf8' });
    const open = ['', ...paths].filter((path) => (statSync(join(here.state, path)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  it('takes the host of each domain from a map, by path, by name, or the default', () => {
    const gh200 = readFileSync(join(REPOSITORY, 'samples/domains/gh200-vm.xml'), 'utf8');
    const here = sandbox({ 'a/vm.xml': text, 'b/vm.xml': gh200, 'c/vm.xml': text.replace('ml-train-01', 'third') });
    const map = join(here.folder, '../map.json');
    cpSync(join(REPOSITORY, 'samples/hosts'), join(here.folder, '../hosts'), { recursive: true });
    const hosts = { 'a/vm.xml': 'hosts/host-a.json', 'gh200-vm': 'hosts/gh200.json' };
    writeFileSync(map, JSON.stringify(hosts));
    const run = () => here.batch('convert', '--dir', here.folder, '--topology-map', map, '--json');
    expect(verdicts(run())).toEqual({ 'a/vm.xml': 'convert', 'b/vm.xml': 'convert', 'c/vm.xml': 'refused' });
    writeFileSync(map, JSON.stringify({ ...hosts, '*': 'hosts/host-a.json' }));
    expect(verdicts(run())['c/vm.xml']).toBe('convert');
  });

  it('gives the same results with one thread as with several', () => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`vm-${i}.xml`, text]));
    const here = sandbox(files);
    expect(here.batch(...convert(here), '--jobs', '1').stdout).toBe(here.batch(...convert(here), '--jobs', '3').stdout);
  });

  it('writes one HTML page with the picture of each plan, and escapes names', () => {
    const here = sandbox({ 'vm.xml': text.replace('ml-train-01', '&lt;script>alert(1)&lt;/script>') });
    const page = join(here.folder, '../report.html');
    here.batch(...convert(here), '--html', page);
    const html = readFileSync(page, 'utf8');
    expect(html.match(/<svg /g)).toHaveLength(1);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('<script');
    expect(existsSync(`${page}.part`)).toBe(false);
  });

  it('writes the host, time, version, options and guest addresses into its report', () => {
    const here = sandbox({ 'vm.xml': text });
    const page = join(here.folder, '../report.html');
    here.batch(...convert(here), '--html', page);
    const html = readFileSync(page, 'utf8');
    expect(html).toContain(`<dt>Host</dt><dd>${HOST}</dd>`);
    expect(html).toMatch(/<dt>Date<\/dt><dd>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/dd>/);
    expect(html).toMatch(/<dt>Version<\/dt><dd>vsmmu \d+\.\d+\.\d+<\/dd>/);
    expect(html).toMatch(/<dt>Options<\/dt><dd>.*--topology .*--html .*<\/dd>/);
    expect(html).toContain('Open a row with ▸');
    const { guest } = JSON.parse(vsmmu(['plan', '--json', '--topology', HOST, SAMPLE]).stdout);
    const { address } = guest.functions.find(({ host }: { host: string }) => host === '0000:31:10.2');
    expect(html).toContain(`>${address}<`);
  });

  it('refuses a pipe or a folder as its report before it changes anything', () => {
    const here = sandbox({ 'vm.xml': text });
    const pipe = join(here.folder, '../pipe');
    spawnSync('mkfifo', [pipe]);
    for (const page of [pipe, here.folder]) {
      expect(here.batch(...convert(here), '--in-place', '--apply', '--html', page)).toEqual({
        code: 3,
        stdout: '',
        stderr: `${page}: error: file-unwritable: it is not a regular file\n`,
      });
    }
    expect(statSync(pipe).isFIFO()).toBe(true);
    expect(here.read('vm.xml')).toBe(text);
  });

  it('prints a summary of its work up to the moment when the disk is full', () => {
    const here = sandbox({ 'a.xml': text, 'b.xml': text });
    const page = join(here.folder, '../report.html');
    const command = ['batch', ...convert(here), '--state', here.state, '--jobs', '1', '--html', page];
    const line = 'ulimit -f 8; exec "$@"';
    const program = [process.execPath, join(REPOSITORY, 'bin/vsmmu')];
    const run = spawnSync('sh', ['-c', line, 'sh', ...program, ...command], { encoding: 'utf8' });
    expect(run.status).toBe(3);
    expect(run.stderr).toContain(`${page}: error: file-unwritable: file too large\n`);
    expect(run.stderr).toMatch(/^vsmmu: 1 domain: 1 convert$/m);
    expect(existsSync(page)).toBe(false);
  });

  it('skips a pipe, on which it would block, and reports it', () => {
    const here = sandbox({ 'vm.xml': text });
    spawnSync('mkfifo', [join(here.folder, 'pipe.xml')]);
    const { code, stdout } = here.batch(...convert(here));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^skipped +pipe\.xml +not a regular file$/m);
  });

  it('draws each domain on its host from a map', () => {
    const here = sandbox({ 'vm.xml': text });
    const [map, page] = [join(here.folder, '../map.json'), join(here.folder, '../report.html')];
    writeFileSync(map, JSON.stringify({ 'vm.xml': HOST }));
    here.batch('convert', '--dir', here.folder, '--topology-map', map, '--html', page);
    expect(readFileSync(page, 'utf8').match(/<svg /g)).toHaveLength(1);
  });

  it('ends after a failure with --fail-fast', () => {
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`vm-${String(i).padStart(3, '0')}.xml`, text]),
    );
    const here = sandbox({ ...files, 'vm-005.xml': 'broken' });
    const { code, stdout } = here.batch(...convert(here), '--fail-fast', '--jobs', '2');
    expect(code).toBe(1);
    expect(stdout.match(/vm-\d{3}/g)?.length).toBeLessThan(10);
  });
});

describe('an unusable folder', () => {
  it.each([
    ['in a dry run', [], []],
    ['before a run starts, and keeps nothing of the run', ['--in-place', '--apply'], []],
    ['with a report that cannot be written', ['--in-place', '--apply', '--html', '/nonexistent/x.html'], ['vm.xml']],
  ])('gives a one-line error and exit code 3 %s', (_, args, files) => {
    const here = sandbox(Object.fromEntries(files.map((file) => [file, text])));
    const run = here.batch(...convert(here), ...args);
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(/^\S+: error: file-un(read|writ)able: no such file or directory\n$/);
    expect(existsSync(here.state)).toBe(false);
  });

  it('gives one JSON document with --json, too', () => {
    const here = sandbox({ 'vm.xml': text });
    const run = here.batch(...convert(here), '--html', '/nonexistent/x.html', '--json');
    expect(JSON.parse(run.stdout)).toMatchObject({ changed: false, diagnostics: [{ code: 'file-unwritable' }] });
  });

  it('does not prevent the conversion of other files if one cannot be written', () => {
    const here = sandbox({ 'vm.xml': text, 'sub/vm.xml': text });
    const out = join(here.folder, '../out');
    mkdirSync(out);
    copyFileSync(SAMPLE, join(out, 'sub'));
    const run = here.batch(...convert(here), '--out', out, '--apply', '--json');
    expect(run.code).toBe(1);
    expect(verdicts(run)).toEqual({ 'sub/vm.xml': 'failed', 'vm.xml': 'written' });
  });
});

describe('the command line of batch', () => {
  it.each<[title: string, args: string[], message: RegExp]>([
    ['no subcommand', ['batch'], /batch needs a subcommand; give one of convert, list/],
    ['an unknown subcommand', ['batch', 'convrt'], /did you mean batch convert\?/],
    ['no domain', ['batch', 'convert'], /give the names of domains, or --all/],
    ['domains and --all', ['batch', 'convert', '--all', 'vm'], /give the names of domains, or --all/],
    [
      'names of domains with --dir',
      ['batch', 'convert', '--dir', '.', 'vm'],
      /batch convert --dir takes no operand: vm/,
    ],
    ['--dir and --connect', ['batch', 'convert', '--dir', '.', '--connect', 'x'], /exclude each other/],
    ['--out without --dir', ['batch', 'convert', '--all', '--out', 'x'], /--out requires --dir/],
    ['--out in --dir', ['batch', 'convert', '--dir', '.', '--out', './x'], /--out must not be inside --dir/],
    ['--state in --dir', ['batch', 'convert', '--dir', '.', '--state', 'x/y'], /--state must not be inside --dir/],
    ['--apply without --out or --in-place', ['batch', 'convert', '--dir', '.', '--apply'], /needs --out or --in-place/],
    [
      'a value of --jobs that is not a number',
      ['batch', 'convert', '--dir', 'samples', '--topology', HOST, '--jobs', 'x'],
      /--jobs takes a number/,
    ],
    [
      'a remote libvirt without a topology',
      ['batch', 'convert', '--connect', 'qemu+ssh://h/system', '--all'],
      /another machine/,
    ],
    ['an invalid URI', ['batch', 'convert', '--connect', 'a b', '--all'], /is not a libvirt connection URI/],
    ['an unknown run', ['batch', 'resume', '--state', '/nonexistent/..', '../x'], /there is no run/],
    ['prune without a selection', ['batch', 'prune', '--state', '/nonexistent'], /give the runs to remove/],
  ])('is refused with one line and exit code 2: %s', (_, args, message) => {
    const run = vsmmu(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
