import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOMAINS, type RecordedVirsh, withRecordedVirsh } from '../libvirt/recorded-virsh.js';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

const sample = readFileSync(join(REPOSITORY, 'samples/domains/ml-train.xml'), 'utf8');
const HOST = ['--topology', 'samples/hosts/host-a.json', '--libvirt', '12.8', '--qemu', '11.1'];
const xmlOf = ({ uuid, name }: (typeof DOMAINS)[number]): string =>
  sample.replace(/<uuid>.*<\/uuid>/, `<uuid>${uuid}</uuid>`).replace(/<name>.*<\/name>/, `<name>${name}</name>`);
const [vm] = DOMAINS;
const before = xmlOf(vm);
const after = vsmmu(['rewrite', ...HOST], before).stdout;

const rewrite = (...args: readonly string[]): Run =>
  vsmmu(['rewrite', ...HOST, '--connect', 'qemu:///system', ...args]);
const start = (): RecordedVirsh => withRecordedVirsh(xmlOf);

describe('--connect', () => {
  it.each([
    ['its name', 'vm', vm.uuid],
    ['its UUID', vm.uuid, vm.uuid],
    ['its UUID in capitals without dashes', vm.uuid.replaceAll('-', '').toUpperCase(), vm.uuid],
    ['its UUID, which is also the name of another domain', DOMAINS[2].name, vm.uuid],
    ['a name that begins with the name of another', 'vm2', DOMAINS[1].uuid],
    ['a name that is a number', '1', DOMAINS[3].uuid],
  ])('picks a domain by %s', (_, operand, uuid) => {
    start();
    const { code, stdout } = rewrite('--', operand);
    expect(code).toBe(0);
    expect(stdout).toContain(`<uuid>${uuid}</uuid>`);
  });

  it('finds no domain by a part of its name', () => {
    start();
    const { code, stderr } = rewrite('v');
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: domain-unknown: qemu:\/\/\/system has no domain v/);
  });

  it('does not treat a reconnect of virsh as an error', () => {
    const virsh = start();
    virsh.complain('list --all --uuid --name', 'error: Reconnected to the hypervisor');
    expect(rewrite('vm')).toMatchObject({ code: 0, stdout: after });
  });
});

describe('--define', () => {
  it('defines the result, keeps the former definition readable by its owner only, and prints its path', () => {
    const virsh = start();
    const state = temporaryFolder();
    const run = rewrite('--define', '--yes', '--state', state, 'vm');
    expect(run).toMatchObject({ code: 0, stdout: '', stderr: expect.any(String) });
    expect(virsh.defined()).toBe(after);
    expect(virsh.asked()).toContain('define --validate');
    const [backup = '', ...more] = readdirSync(join(state, 'defined'));
    expect(more).toEqual([]);
    expect(backup).toMatch(new RegExp(`^${vm.uuid}-\\d{8}T\\d{6}\\.\\d+Z\\.xml$`));
    const file = join(state, 'defined', backup);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect([file, join(file, '..')].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o700]);
    expect(run.stderr.split('\n').at(-2)).toBe(`"vm": defined; the former definition is in ${file}`);
  });

  it.each(['rewrite', 'revert'])('keeps passwords: %s', (command) => {
    const virsh = start();
    virsh.put(vm.uuid, command === 'revert' ? after : before);
    const host = command === 'revert' ? [] : HOST;
    const args = ['--connect', 'qemu:///system', '--define', '--yes', '--state', temporaryFolder()];
    expect(vsmmu([command, ...host, ...args, 'vm'])).toMatchObject({ code: 0 });
    expect(virsh.defined()).toBe(command === 'revert' ? before : after);
    const dumps = virsh.asked().filter((line) => line.startsWith('dumpxml '));
    expect(dumps.length).toBeGreaterThan(0);
    expect(dumps.filter((line) => !line.endsWith(' --inactive --security-info'))).toEqual([]);
  });

  it('prints the path of the former definition with --json', () => {
    start();
    const state = temporaryFolder();
    const result = JSON.parse(rewrite('--define', '--yes', '--json', '--state', state, 'vm').stdout);
    expect(result.changed).toBe(true);
    expect(readFileSync(result.backup, 'utf8')).toBe(before);
  });

  it('defines nothing and keeps nothing if nothing changes', () => {
    const virsh = start();
    virsh.put(vm.uuid, after);
    const state = temporaryFolder();
    const run = rewrite('--define', '--yes', '--state', state, 'vm');
    expect(run).toMatchObject({ code: 0, stdout: '', stderr: expect.any(String) });
    expect(run.stderr).toContain('"vm": nothing to change\n');
    expect(virsh.defined()).toBeUndefined();
    expect(existsSync(join(state, 'defined'))).toBe(false);
  });

  it('defines nothing if the former definition cannot be kept', () => {
    const virsh = start();
    const run = rewrite('--define', '--yes', '--state', '/dev/null', 'vm');
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/error: file-unwritable: /);
    expect(virsh.defined()).toBeUndefined();
  });

  it('defines nothing if the domain was changed in the meantime', () => {
    const virsh = start();
    virsh.put(vm.uuid, before.replace('4194304', '8388608'), 'later');
    const state = temporaryFolder();
    const run = rewrite('--define', '--yes', '--state', state, 'vm');
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^vm: error: domain-edited: .*; run the command again$/m);
    expect(virsh.defined()).toBeUndefined();
    expect(existsSync(join(state, 'defined'))).toBe(false);
  });

  it('does not define a transient domain', () => {
    const virsh = start();
    virsh.answer('list --uuid --all --persistent', '\n');
    const run = rewrite('--define', '--yes', '--state', temporaryFolder(), 'vm');
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^vm: error: domain-transient: /m);
    expect(virsh.defined()).toBeUndefined();
  });

  it.each([
    ['domain-running', 'runs', 'list --uuid --state-running'],
    ['domain-running', 'is paused', 'list --uuid --state-paused'],
    ['domain-saved', 'has a managed save', 'list --uuid --all --with-managed-save'],
  ])('reports %s for a domain that %s, and defines it', (code, _, list) => {
    const virsh = start();
    virsh.answer(list, `${vm.uuid}\n`);
    const run = rewrite('--define', '--yes', '--json', '--state', temporaryFolder(), 'vm');
    const codes = JSON.parse(run.stdout).diagnostics.map((found: { code: string }) => found.code);
    expect(codes.filter((found: string) => found.startsWith('domain-'))).toEqual([code]);
    expect(virsh.defined()).toBe(after);
  });

  it('prints the change with --diff, and no notes with --quiet', () => {
    start();
    const run = rewrite('--define', '--yes', '--diff', '--quiet', '--state', temporaryFolder(), 'vm');
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/^--- /);
    expect(run.stderr).not.toContain('defined;');
  });

  it('defines nothing without --yes if there is no terminal', () => {
    const virsh = start();
    expect(rewrite('--define', '--state', temporaryFolder(), 'vm').code).toBe(2);
    expect(virsh.defined()).toBeUndefined();
  });
});
