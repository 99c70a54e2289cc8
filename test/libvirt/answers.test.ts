/** How a connection reads the output of virsh, and how it starts virsh. */
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openLibvirt } from '../../src/libvirt/connection.js';
import { Virsh } from '../../src/libvirt/virsh.js';
import { temporaryFolder } from '../cli/run.js';
import { DOMAINS, RECORDED, type RecordedVirsh, withRecordedVirsh } from './recorded-virsh.js';

const URI = 'qemu:///system';
const [vm, vm2, , one] = DOMAINS;
const start = (): RecordedVirsh => withRecordedVirsh(({ name }) => `<domain>${name}</domain>\n`);

describe('the list of domains', () => {
  it('has their names, all shut off and persistent', async () => {
    start();
    await using libvirt = openLibvirt(URI);
    const list = await libvirt.list();
    expect(list.map(({ name }) => name)).toEqual(DOMAINS.map(({ name }) => name as string).sort());
    for (const entry of list) {
      expect(entry).toMatchObject({ state: 'shutoff', persistent: true, managedSave: false, snapshots: false });
    }
  });

  it.each([
    ['state running', '--state-running', { state: 'running' }],
    ['state paused', '--state-paused', { state: 'paused' }],
    ['a managed save', '--all --with-managed-save', { managedSave: true }],
    ['snapshots', '--all --with-snapshot', { snapshots: true }],
  ])('gives %s to the right domain only', async (_, filter, expected) => {
    start().answer(`list --uuid ${filter}`, `${vm2.uuid}\n`);
    await using libvirt = openLibvirt(URI);
    const list = await libvirt.list();
    expect(list.find(({ uuid }) => uuid === vm2.uuid)).toMatchObject(expected);
    expect(list.find(({ uuid }) => uuid === vm.uuid)).not.toMatchObject(expected);
  });

  it('has the state other for all further states, and marks undefined domains as not persistent', async () => {
    const virsh = start();
    for (const filter of ['--state-shutoff', '--persistent']) virsh.answer(`list --uuid --all ${filter}`, '\n');
    await using libvirt = openLibvirt(URI);
    for (const entry of await libvirt.list()) expect(entry).toMatchObject({ state: 'other', persistent: false });
  });
});

describe('a command', () => {
  it.each([
    [{}, ''],
    [{ inactive: true }, ' --inactive'],
    [{ security: true }, ' --security-info'],
    [{ inactive: true, security: true }, ' --inactive --security-info'],
  ])('reads a domain with the flags of %j', async (options, flags) => {
    const virsh = start();
    await using libvirt = openLibvirt(URI);
    expect(await libvirt.dumpXml(vm.uuid as never, options)).toBe('<domain>vm</domain>\n');
    expect(virsh.asked()).toEqual([`dumpxml ${vm.uuid}${flags}`]);
  });

  it('defines without checking the schema of libvirt on request', async () => {
    const virsh = start();
    await using libvirt = openLibvirt(URI);
    await libvirt.define('<domain/>', { validate: false });
    expect(virsh.defined()).toBe('<domain/>');
    expect(virsh.asked()[0]).toMatch(/^define \/proc\//);
  });

  it('lists the snapshots with memory, one name per line', async () => {
    start().answer(`snapshot-list ${one.uuid} --active --name`, 'before update\nlater\n\n');
    await using libvirt = openLibvirt(URI);
    expect(await libvirt.snapshotsWithMemory(one.uuid as never)).toEqual(['before update', 'later']);
  });

  it('that libvirt refuses fails with the reason, without the name of a temporary file', async () => {
    const virsh = start();
    virsh.complain(
      'uri',
      'error: Failed to define domain from /proc/1/fd/9\nerror: XML error: no bus\nerror: unsupported',
    );
    await using libvirt = openLibvirt(URI);
    await expect(libvirt.uri()).rejects.toMatchObject({
      diagnostics: [{ code: 'libvirt-refused', message: 'virsh uri: XML error: no bus; unsupported' }],
    });
  });

  it('succeeds if virsh cannot write it to its history', async () => {
    start().complain('uri', "error: Failed to create '/dev/null/libvirt/virsh': Not a directory");
    await using libvirt = openLibvirt(URI);
    expect(await libvirt.uri()).toBe(URI);
  });

  it('is repeated after a restart of libvirtd', async () => {
    const virsh = start();
    await using libvirt = openLibvirt(URI);
    await libvirt.uri();
    virsh.complain('uri', 'error: Disconnected from qemu:///system due to end of file', 'once');
    expect(await libvirt.uri()).toBe(URI);
    expect(virsh.asked()).toEqual(['uri', 'uri', 'uri']);
  });

  it('fails if libvirtd does not return in time', async () => {
    const virsh = start();
    await using libvirt = openLibvirt(URI, { restartSeconds: 0.3 });
    await libvirt.uri();
    virsh.complain('uri', 'error: failed to connect to the hypervisor\nerror: no such socket');
    await expect(libvirt.uri()).rejects.toMatchObject({
      diagnostics: [
        { code: 'libvirt-unreachable', message: `${URI}: failed to connect to the hypervisor; no such socket` },
      ],
    });
    expect(virsh.asked().length).toBeGreaterThan(2);
  });

  it('fails at once if libvirtd never answered', async () => {
    const virsh = start();
    virsh.complain('uri', 'error: failed to connect to the hypervisor');
    await using libvirt = openLibvirt(URI);
    await expect(libvirt.uri()).rejects.toMatchObject({ diagnostics: [{ code: 'libvirt-unreachable' }] });
    expect(virsh.asked()).toEqual(['uri']);
  });

  it('waits for earlier commands', async () => {
    const virsh = start();
    await using libvirt = openLibvirt(URI);
    const [uri, xml, list] = await Promise.all([libvirt.uri(), libvirt.dumpXml(vm.uuid as never), libvirt.list()]);
    expect([uri, xml, list.length]).toEqual([URI, '<domain>vm</domain>\n', DOMAINS.length]);
    expect(virsh.asked()).toHaveLength(2 + Object.keys(RECORDED).length - 1);
  });

  it('keeps its arguments intact, whatever characters they contain', async () => {
    const recorded = start();
    recorded.answer("list it's a; uri", 'an answer\n');
    const virsh = new Virsh(URI);
    expect(await virsh.run(['list', "it's a; uri"], 60)).toEqual({ output: 'an answer\n', errors: [] });
    virsh.close();
  });

  it('ends with its connection', async () => {
    const folder = withScript('echo $$ >pid; exec sleep 60');
    const virsh = new Virsh(URI);
    const answer = virsh.run(['uri'], 60);
    const pid = () => Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await vi.waitFor(() => expect(pid()).toBeGreaterThan(0), 10_000);
    virsh.close();
    await expect(answer).rejects.toThrow('the connection is closed');
    await vi.waitFor(() => expect(() => process.kill(pid(), 0)).toThrow(), 10_000);
  });

  it('fails with the last error of a virsh that ended after the command before', async () => {
    const folder = withScript(`echo $$ >pid
echo() { if [ "$1" = --err ]; then printf 'error: %s\\n' "$2" >&2; else printf '%s\\n' "$1"; fi; }
uri() { printf 'qemu:///x\\n'; }
for i in 1 2; do IFS= read -r line; eval "$line"; done
sleep 0.2
printf 'error: Disconnected from qemu:///x\\n' >&2
exit 1`);
    const virsh = new Virsh(URI);
    expect((await virsh.run(['uri'], 60)).output.trim()).toBe('qemu:///x');
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), 10_000);
    await expect(virsh.run(['uri'], 60)).rejects.toThrow('Disconnected from qemu:///x');
  });

  it('can follow one with an invalid argument', async () => {
    start();
    const virsh = new Virsh(URI);
    const limitSeconds = 0.1;
    await expect(virsh.run(['list', 'two\nlines'], limitSeconds)).rejects.toThrow('no line end');
    await new Promise((resolve) => setTimeout(resolve, 2000 * limitSeconds));
    expect(await virsh.run(['uri'], 60)).toEqual({ output: RECORDED.uri, errors: [] });
    virsh.close();
  });
});

/** Puts a shell script called virsh first in PATH until the test ends; returns its folder. */
function withScript(script: string): string {
  const { PATH = '' } = process.env;
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'virsh'), `#!/bin/sh\ncd "$(dirname "$0")"\n${script}\n`);
  chmodSync(join(folder, 'virsh'), 0o755);
  process.env.PATH = `${folder}:${PATH}`;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  return folder;
}

/** Returns the error of a connection whose virsh ends. */
async function lastWords(uri: string, script: string, held?: number): Promise<{ message: string; folder: string }> {
  const folder = withScript(script);
  await using libvirt = openLibvirt(uri, { held });
  const error = await libvirt.uri().catch((error) => error);
  return { message: error.diagnostics[0].message, folder };
}

describe('virsh is started', () => {
  it.each([
    [URI, '--quiet --connect=qemu:///system'],
    ['', '--quiet'],
  ])('for the URI %j', async (uri, words) => {
    expect((await lastWords(uri, 'echo "error: $*" >&2; exit 1')).message).toBe(`${uri || 'libvirt'}: ${words}`);
  });

  it.each([
    [URI, '/dev/null'],
    ['qemu:///session', '/home/cache'],
  ])('without the user’s settings, and for %s with the cache %s', async (uri, cache) => {
    vi.stubEnv('LIBVIRT_DEBUG', '1');
    vi.stubEnv('LIBVIRT_LOG_OUTPUTS', '1:stderr');
    vi.stubEnv('VIRSH_DEBUG', '0');
    vi.stubEnv('LANGUAGE', 'de');
    vi.stubEnv('LC_MESSAGES', 'de_DE.UTF-8');
    vi.stubEnv('KEPT', 'yes');
    vi.stubEnv('XDG_CACHE_HOME', '/home/cache');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { folder } = await lastWords(uri, 'env >environment; exit 1');
    const environment = readFileSync(join(folder, 'environment'), 'utf8').split('\n');
    expect(environment.filter((line) => /^(LIBVIRT_DEBUG|LIBVIRT_LOG_|VIRSH_|LANG|LC_)/.test(line))).toEqual([
      'LC_ALL=C.UTF-8',
    ]);
    for (const line of ['KEPT=yes', 'TERM=dumb', 'INPUTRC=/dev/null', `XDG_CACHE_HOME=${cache}`]) {
      expect(environment).toContain(line);
    }
  });

  it('so that Ctrl-C does not end it', async () => {
    const { message } = await lastWords(URI, 'kill -INT $$; echo "error: alive" >&2; exit 1');
    expect(message).toBe(`${URI}: alive`);
  });

  it('with the open file of the lock', async () => {
    const file = join(temporaryFolder(), 'lock');
    const { message } = await lastWords(
      URI,
      'echo "error: $(readlink /proc/$$/fd/3)" >&2; exit 1',
      openSync(file, 'w'),
    );
    expect(message).toBe(`${URI}: ${file}`);
  });
});

describe('a virsh that ends', () => {
  it.each([
    [126, /^qemu:\/\/\/system: virsh cannot be started/],
    [127, /^qemu:\/\/\/system: virsh is not installed$/],
  ])('with code %i is reported as not started', async (code, message) => {
    expect((await lastWords(URI, `exit ${code}`)).message).toMatch(message);
  });

  it.each([
    ['exit 3', '3'],
    ['kill -KILL $$', 'SIGKILL'],
  ])('without a message, by %s, is reported as ended', async (script, how) => {
    expect((await lastWords(URI, script)).message).toBe(`${URI}: virsh ended (${how})`);
  });

  it('with its connection leaves no process', async () => {
    const folder = withScript('echo $$ >pid; exec sleep 600');
    const libvirt = openLibvirt(URI);
    const answer = libvirt.uri().catch((error) => error.diagnostics[0].message);
    const pid = await vi.waitFor(
      () => Number(/^\d+(?=\n)/.exec(readFileSync(join(folder, 'pid'), 'utf8'))?.[0]),
      30_000,
    );
    await libvirt.close();
    expect(await answer).toContain('the connection is closed');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 30_000);
  });
});
