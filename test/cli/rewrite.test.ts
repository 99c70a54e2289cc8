import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { applyPatch } from 'diff';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const SAMPLE = 'samples/domains/ml-train.xml';
const before = readFileSync(join(REPOSITORY, SAMPLE), 'utf8');
const after = vsmmu(['rewrite', ...HOST, SAMPLE]).stdout;

/** Copies the sample into a new temporary folder. */
function copyOfSample(name = 'vm.xml'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, before);
  return file;
}

describe('rewrite', () => {
  it('prints the domain on standard output and nothing else', () => {
    expect(after).toContain("<iommu model='smmuv3'>");
    expect(after).not.toBe(before);
  });

  it('reads standard input if the operand is missing or -', () => {
    expect(vsmmu(['rewrite', ...HOST], before)).toMatchObject({ code: 0, stdout: after });
    expect(vsmmu(['rewrite', ...HOST, '-'], before)).toMatchObject({ code: 0, stdout: after });
  });

  it('calls standard input <stdin> in messages', () => {
    expect(vsmmu(['rewrite', ...HOST], before).stderr).toMatch(/^<stdin>:\d+:\d+: warning: /m);
  });

  it('writes to the file of --output and not to standard output', () => {
    const output = join(temporaryFolder(), 'new.xml');
    expect(vsmmu(['rewrite', ...HOST, '-o', output, SAMPLE])).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(output, 'utf8')).toBe(after);
  });

  it('overwrites the file with --in-place, keeps mode and owner, and leaves no other file', () => {
    const file = copyOfSample();
    chmodSync(file, 0o640);
    chownSync(file, 1, 2);
    expect(vsmmu(['rewrite', ...HOST, '-i', file])).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe(after);
    const { mode, uid, gid } = statSync(file);
    expect({ mode: mode & 0o777, uid, gid }).toEqual({ mode: 0o640, uid: 1, gid: 2 });
    expect(readdirSync(join(file, '..'))).toEqual(['vm.xml']);
  });

  it('numbers a backup if its name is in use, and reports the name', () => {
    const file = copyOfSample();
    writeFileSync(`${file}.orig`, 'of before');
    const { code, stderr } = vsmmu(['rewrite', ...HOST, '-i', '--backup', '.orig', file]);
    expect(code).toBe(0);
    expect(stderr).toContain(`note: backup-numbered: the former content is kept in ${file}.orig.~1~`);
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe('of before');
    expect(readFileSync(`${file}.orig.~1~`, 'utf8')).toBe(before);
  });

  it('keeps the old file under its name and the suffix of --backup, with its mode', () => {
    const file = copyOfSample();
    chmodSync(file, 0o600);
    vsmmu(['rewrite', ...HOST, '-i', '--backup', '.orig', file]);
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe(before);
    expect(statSync(`${file}.orig`).mode & 0o777).toBe(0o600);
  });

  it('does not write or back up a file that needs no change', () => {
    const file = join(temporaryFolder(), 'vm.xml');
    writeFileSync(file, after);
    const { ino } = statSync(file);
    expect(vsmmu(['rewrite', ...HOST, '-i', '--backup', '.orig', file]).code).toBe(0);
    expect(statSync(file).ino).toBe(ino);
    expect(existsSync(`${file}.orig`)).toBe(false);
  });

  it('prints a unified diff with --diff, which turns the input into the output', () => {
    const { stdout } = vsmmu(['rewrite', ...HOST, '--diff', SAMPLE]);
    expect(stdout.startsWith(`--- ${SAMPLE}\n+++ ${SAMPLE}\n@@ `)).toBe(true);
    expect(applyPatch(before, stdout)).toBe(after);
  });

  it('masks passwords in a diff, but not in the domain', () => {
    const secret = before.replace('  </devices>', "    <graphics type='vnc' passwd='hunter2'/>\n  </devices>");
    const { stdout } = vsmmu(['rewrite', ...HOST, '--diff', '-'], secret);
    expect(stdout).toContain(`<graphics type='vnc' passwd='***'/>`);
    expect(vsmmu(['rewrite', ...HOST, '-'], secret).stdout).toContain("passwd='hunter2'");
  });

  it('prints one JSON document with --json: the changes, the diagnostics, the domain', () => {
    const { stdout } = vsmmu(['rewrite', ...HOST, '--json', SAMPLE]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ changed: true, xml: after });
    expect(document.diagnostics).toContainEqual(expect.objectContaining({ code: 'group-shared', severity: 'warning' }));
    expect(JSON.parse(vsmmu(['rewrite', ...HOST, '--json', '-'], after).stdout)).toMatchObject({ changed: false });
  });

  it('prints only errors with --quiet, and also the moves of devices with --verbose', () => {
    expect(vsmmu(['rewrite', ...HOST, '--quiet', SAMPLE]).stderr).toBe('');
    expect(vsmmu(['rewrite', ...HOST, SAMPLE]).stderr).not.toContain('device-moved');
    expect(vsmmu(['rewrite', ...HOST, '--verbose', SAMPLE]).stderr).toContain(
      'note: device-moved: 0000:31:10.2 moves from',
    );
  });

  it('treats warnings as errors with --strict, and writes nothing', () => {
    const run = vsmmu(['rewrite', ...HOST, '--strict', SAMPLE]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/error: group-shared:/);
  });

  it('refuses with --strict a device whose expander bus has no matching NUMA cell', () => {
    const domain = join(REPOSITORY, 'test/golden/numa-unbound/domain.xml');
    const run = vsmmu(['rewrite', '--topology', 'samples/hosts/gb200.json', '--strict', domain]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/error: numa-cell-unknown:/);
  });

  it('warns once if the installed libvirt would drop what it writes, unless --libvirt names another', () => {
    const old = temporaryFolder();
    const iommu = '<define name="iommu"><attribute name="model"/></define>';
    for (const file of ['domaincommon.rng', 'basictypes.rng']) writeFileSync(join(old, file), iommu);
    const run = (...args: string[]) => vsmmu(['rewrite', ...HOST, ...args], '', { VSMMU_LIBVIRT_SCHEMAS: old });
    const { code, stderr } = run(SAMPLE);
    expect(code).toBe(0);
    expect(stderr.match(/warning: libvirt-too-old: .* accel, pciBus and iommufd: virsh define without/g)).toHaveLength(
      1,
    );
    expect(run('--libvirt', '12.8', SAMPLE).stderr).not.toContain('libvirt-too-old');
    expect(run('samples/domains/x86-vm.xml').stderr).not.toContain('libvirt-too-old');
  });

  it('does not change a file that it cannot replace', () => {
    const file = copyOfSample();
    mkdirSync(join(file, '..', 'folder'));
    const run = vsmmu(['rewrite', ...HOST, '-o', join(file, '..', 'folder'), file]);
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(/folder: error: file-unwritable: /);
  });

  it('writes into a pipe that --output names, and does not replace it', () => {
    const pipe = join(temporaryFolder(), 'pipe');
    spawnSync('mkfifo', [pipe]);
    const line = `cat "$1" & "$0" bin/vsmmu rewrite --quiet --topology samples/hosts/host-a.json -o "$1" ${SAMPLE}; wait`;
    const { stdout } = spawnSync('sh', ['-c', line, process.execPath, pipe], { cwd: REPOSITORY, encoding: 'utf8' });
    expect(stdout).toBe(after);
    expect(statSync(pipe).isFIFO()).toBe(true);
  });

  it('creates the target of a dangling link', () => {
    const link = join(temporaryFolder(), 'link.xml');
    symlinkSync('target.xml', link);
    expect(vsmmu(['rewrite', ...HOST, '-o', link, SAMPLE]).code).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(link, '..', 'target.xml'), 'utf8')).toBe(after);
  });

  it('reports in one line that standard output cannot be written', () => {
    const line = `"$0" bin/vsmmu rewrite --quiet --topology samples/hosts/host-a.json ${SAMPLE} > /dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', line, process.execPath], { cwd: REPOSITORY, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: 'vsmmu: error: file-unwritable: standard output: no space left on device\n',
    });
  });

  it('reports in one line that standard output is closed, if it has output', () => {
    const run = (options: string) =>
      spawnSync(
        'sh',
        ['-c', `PATH="$(dirname "$0"):$PATH" bin/vsmmu rewrite --quiet ${options} >&-`, process.execPath],
        {
          cwd: REPOSITORY,
          encoding: 'utf8',
        },
      );
    expect(run(`--topology samples/hosts/host-a.json ${SAMPLE}`)).toMatchObject({
      status: 3,
      stderr: 'vsmmu: error: file-unwritable: standard output: it is closed\n',
    });
    const file = join(temporaryFolder(), 'new.xml');
    expect(run(`--topology samples/hosts/host-a.json -o ${file} ${SAMPLE}`)).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe(after);
  });

  it('does not treat a /dev/null that is open for reading as a closed standard output', () => {
    const { status, stderr } = spawnSync('bin/vsmmu', ['rewrite', '--quiet', ...HOST, SAMPLE], {
      cwd: REPOSITORY,
      encoding: 'utf8',
      stdio: ['ignore', openSync('/dev/null', 'r+'), 'pipe'],
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('ends quietly when the reader of its output closes the pipe', () => {
    const file = join(temporaryFolder(), 'long.xml');
    writeFileSync(file, before.replace('<devices>', `<!--${'x'.repeat(4_000_000)}--><devices>`));
    const line = `"$0" bin/vsmmu rewrite --quiet --topology samples/hosts/host-a.json "$1" | head -c 10`;
    const { stdout, stderr } = spawnSync('sh', ['-c', line, process.execPath, file], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: before.slice(0, 10), stderr: '' });
  });
});
