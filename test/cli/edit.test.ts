import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { userEditor } from '../../src/cli/editor.js';
import { withHeader, withoutHeader } from '../../src/cli/render/edit-header.js';
import type { Located } from '../../src/cli/report.js';
import { sample as before } from './hook-place.js';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

const LOCAL_SOFTWARE = ['--topology', 'samples/hosts/host-a.json', '--libvirt', '12.8', '--qemu', '11.1'];
const after = vsmmu(['rewrite', ...LOCAL_SOFTWARE], before).stdout;

/** A file readable by its owner only, as virsh makes it. */
function fileOf(content: string | Uint8Array, name = 'virshX1Y2Z3.xml'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

/** Runs `vsmmu edit` with a shell command as the editor; `$1` is the file. */
function edit(file: string, { editor = 'false', args = [] as string[] } = {}): Run {
  const env = { ...process.env, VSMMU_EDITOR: `sh -c '${editor}' editor` };
  const argv = [join(REPOSITORY, 'bin/vsmmu'), 'edit', ...LOCAL_SOFTWARE, ...args, '--', file];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    cwd: REPOSITORY,
    env,
    encoding: 'utf8',
    input: '',
  });
  return { code: status, stdout, stderr };
}

describe('edit', () => {
  it('rewrites the file in place with --no-editor, and reports its changes', () => {
    const file = fileOf(before);
    const { ino } = statSync(file);
    const run = edit(file, { args: ['--no-editor'] });
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toMatch(/^ml-train-01:\d+:\d+: warning: group-shared: /m);
    expect(readFileSync(file, 'utf8')).toBe(after);
    expect(statSync(file)).toMatchObject({ ino, mode: 0o100600 });
  });

  it('opens the result in the editor, with a report in a comment at the top, which it removes afterwards', () => {
    const file = fileOf(before);
    const seen = join(temporaryFolder(), 'seen');
    expect(edit(file, { editor: `cp "$1" ${seen}` }).code).toBe(0);
    const shown = readFileSync(seen, 'utf8');
    expect(shown).toMatch(
      /^<!-- vsmmu edit: [^\n]*\nml-train-01:\d+:\d+: warning: [\s\S]*device-moved[\s\S]*-->\n<domain/,
    );
    expect(shown.endsWith(after)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(after);
  });

  it('keeps what the user changed', () => {
    const file = fileOf(before);
    expect(edit(file, { editor: 'sed -i s/4194304/2097152/ "$1"' }).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(after.replaceAll('4194304', '2097152'));
  });

  it('leaves the file unchanged and fails if the editor fails', () => {
    const file = fileOf(before);
    const run = edit(file, { editor: 'echo mine > "$1"; exit 7' });
    expect(run.code).toBe(3);
    expect(run.stderr).toContain('vsmmu: error: editor-failed: ');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('leaves a domain that cannot be converted unchanged, and opens no editor if there is no terminal to ask on', () => {
    const other = before.replaceAll("bus='0x91'", "bus='0x7e'");
    const file = fileOf(other);
    const seen = join(temporaryFolder(), 'seen');
    const run = edit(file, { editor: `touch ${seen}` });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^ml-train-01:\d+:\d+: error: device-missing: 0000:7e:00\.0/m);
    expect(readFileSync(file, 'utf8')).toBe(other);
    expect(() => statSync(seen)).toThrow();
  });

  it('refuses an edited domain that would not start', () => {
    const file = fileOf(before);
    const run = edit(file, { editor: 'sed -i /iommufd=/d "$1"' });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^ml-train-01:\d+:\d+: error: /m);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('accepts an edited domain whose error existed before and was reported by the conversion', () => {
    const withoutGroup = readFileSync(join(REPOSITORY, 'samples/domains/ml-train.xml'), 'utf8');
    const file = fileOf(withoutGroup);
    const run = edit(file, { editor: 'sed -i s/4194304/2097152/ "$1"' });
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/^ml-train-01:\d+:\d+: warning: device-without-group: /m);
    expect(readFileSync(file, 'utf8')).toContain('2097152');
  });

  it('rewrites nothing with --check-only, and checks the edited domain', () => {
    const file = fileOf(before);
    expect(edit(file, { editor: 'true', args: ['--check-only'] }).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it.each<[what: string, content: string | Uint8Array]>([
    ['a network', '<network><name>default</name></network>\n'],
    ['a domain snapshot', `<domainsnapshot><name>s</name>${before}</domainsnapshot>\n`],
    ['an empty file', ''],
    ['a domain that is cut off', before.slice(0, 2000)],
    ['a text that is not XML', 'tree 1234\nparent 5678\n'],
    ['a file that is not text', Buffer.from([0xff, 0xfe, 0, 1])],
    ['more than 16 MiB', `<domain>${' '.repeat(16 * 1024 * 1024)}</domain>`],
  ])('passes %s to the editor unchanged, and keeps the result of the editor', (_, content) => {
    const untouched = fileOf(content);
    expect(edit(untouched, { editor: 'true' }).code).toBe(0);
    expect(readFileSync(untouched).equals(Buffer.from(content))).toBe(true);
    expect(edit(untouched, { editor: 'echo mine > "$1"' }).code).toBe(0);
    expect(readFileSync(untouched, 'utf8')).toBe('mine\n');
  });

  it.each<[commandLine: string[], rewritten: boolean]>([
    [['edit', 'vm'], true],
    [['save-image-edit', '/vm.save'], false],
    [['managedsave-edit', 'vm'], false],
    [[], false],
  ])('started by virsh with the arguments %j rewrites the file: %s', (args, rewritten) => {
    const file = fileOf(before);
    // Starts `vsmmu edit` two levels below a process that is named virsh and has those arguments.
    const line = `sh -c '${process.execPath} bin/vsmmu edit --no-editor ${LOCAL_SOFTWARE.join(' ')} ${file}; exit $?'; exit $?`;
    const virsh = ['-c', 'exec -a virsh bash -s "$@"', 'bash', ...args];
    const { status, stderr } = spawnSync('bash', virsh, { cwd: REPOSITORY, input: line, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(rewritten ? after : before);
    if (!rewritten) expect(stderr).toMatch(/^vsmmu: .*: nothing is rewritten\n$/);
  });

  it('does not write through a link', () => {
    const target = fileOf(before);
    const link = join(temporaryFolder(), 'virshX1Y2Z3.xml');
    symlinkSync(target, link);
    expect(edit(link, { args: ['--no-editor'] })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('file-unwritable'),
    });
    expect(readFileSync(target, 'utf8')).toBe(before);
  });

  it.each(['$(touch oops).xml', '--help', '12', 'it’s "so";.xml'])('treats the operand %s as a file', (name) => {
    const file = fileOf(before, name);
    expect(edit(file, { editor: 'true' }).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(after);
  });

  it('does not start itself as the editor endlessly', () => {
    const file = fileOf(before);
    const script = fileOf(
      `#!/bin/sh\nexec ${process.execPath} ${REPOSITORY}bin/vsmmu edit ${LOCAL_SOFTWARE.join(' ')} "$1"\n`,
      'mine',
    );
    chmodSync(script, 0o700);
    const run = edit(file, { editor: `${script} "$1"` });
    expect(run.code).toBe(3);
    expect(run.stderr).toContain('vsmmu edit would start itself as the editor');
  });

  it.each<[args: string[], message: RegExp]>([
    [['edit'], /edit takes one file/],
    [['edit', '-'], /edit takes one file/],
    [['edit', 'a', 'b'], /edit takes one file/],
    [['edit', '--no-editor', '--check-only', 'a'], /exclude each other/],
  ])('is refused with one line and exit code 2: %j', (args, message) => {
    const run = vsmmu(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(message);
  });
});

describe('the user’s own editor', () => {
  it.each<[environment: NodeJS.ProcessEnv, editor: string]>([
    [{ VSMMU_EDITOR: 'nano -w', VISUAL: 'vim', EDITOR: 'vsmmu edit' }, 'nano -w'],
    [{ VISUAL: 'vim', EDITOR: 'vsmmu edit' }, 'vim'],
    [{ VISUAL: '/opt/vsmmu/bin/vsmmu edit --spare-ports 1', EDITOR: 'emacs -nw' }, 'emacs -nw'],
    [{ VISUAL: 'node "/opt/bin/vsmmu" edit', EDITOR: 'ed' }, 'ed'],
    [{ EDITOR: ' ', VISUAL: 'vim /home/vsmmu/edit' }, 'vim /home/vsmmu/edit'],
  ])('is the first of %j that is not vsmmu', (environment, editor) => {
    expect(userEditor(environment)).toBe(editor);
  });
});

describe('the comment at the top', () => {
  const found = (message: string): Located => ({ file: 'vm', code: 'usage', severity: 'note', message });

  it.each(['<domain/>', "<?xml version='1.0'?>\n<domain/>\n", '<!-- mine -->\n<domain/>', '\n\n<domain/>'])(
    'is added and removed without a trace: %j',
    (xml) => {
      expect(withoutHeader(withHeader(xml, [found('a'), found('b')]))).toBe(xml);
    },
  );

  it('stays a comment, whatever its text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('-', '>', '!', '<', 'a', '\n', ' ') })), (messages) => {
        const header = withHeader('', messages.map(found));
        expect(header.slice(4, -4)).not.toMatch(/--/);
        expect(header.slice(-4)).toBe('-->\n');
        expect(withoutHeader(`${header}<domain/>`)).toBe('<domain/>');
      }),
    );
  });

  it('is removed even if the user changed it', () => {
    const edited = withHeader('<domain/>', [found('a')]).replace('note', 'NOTE\n\n');
    expect(withoutHeader(edited)).toBe('<domain/>');
  });

  it('is recognized only at the top of the file', () => {
    const xml = '<domain>\n<!-- vsmmu edit: mine -->\n</domain>';
    expect(withoutHeader(xml)).toBe(xml);
  });
});
