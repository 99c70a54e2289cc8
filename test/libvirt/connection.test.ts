/** Connections with a faulty virsh. test/lab uses the real one, with a real libvirtd. */
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DomainUuid, openLibvirt, parseUuid } from '../../src/libvirt/connection.js';
import { temporaryFolder } from '../cli/run.js';

/** Puts a fake virsh first in PATH until the test ends; undefined: empties PATH. */
function withVirsh(script: string | undefined): void {
  const { PATH = '' } = process.env;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  const folder = temporaryFolder();
  if (script !== undefined) {
    writeFileSync(join(folder, 'virsh'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'virsh'), 0o755);
  }
  process.env.PATH = script === undefined ? folder : `${folder}:${PATH}`;
}

const unreachable = (message: RegExp) => ({
  name: 'EnvironmentError',
  diagnostics: [{ code: 'libvirt-unreachable', message: expect.stringMatching(message) }],
});

describe('a connection', () => {
  it('reports a missing virsh', async () => {
    withVirsh(undefined);
    await using libvirt = openLibvirt('qemu:///system');
    await expect(libvirt.list()).rejects.toMatchObject(unreachable(/^qemu:\/\/\/system: virsh is not installed$/));
  });

  it('reports a virsh that cannot be executed', async () => {
    withVirsh(undefined);
    writeFileSync(join(process.env.PATH ?? '', 'virsh'), '#!/bin/sh\n', { mode: 0o644 });
    await using libvirt = openLibvirt('qemu:///system');
    await expect(libvirt.list()).rejects.toMatchObject(
      unreachable(/^qemu:\/\/\/system: virsh cannot be started: permission denied$/),
    );
  });

  it('reports why virsh could not connect, with its message', async () => {
    withVirsh('echo "error: failed to connect to the hypervisor" >&2; echo "error: no such socket" >&2; exit 1');
    await using libvirt = openLibvirt('qemu:///system');
    await expect(libvirt.uri()).rejects.toMatchObject(
      unreachable(/failed to connect to the hypervisor; no such socket$/),
    );
  });

  it('stops waiting for a virsh that never answers', async () => {
    withVirsh('exec sleep 60');
    await using libvirt = openLibvirt('qemu:///system', { limitSeconds: 0.2 });
    await expect(libvirt.uri()).rejects.toMatchObject(unreachable(/virsh uri took longer than 0\.2 s$/));
  });

  it('stops a virsh that prints the same text endlessly', async () => {
    withVirsh('exec yes');
    await using libvirt = openLibvirt('qemu:///system', { limitSeconds: 0.2 });
    await expect(libvirt.uri()).rejects.toMatchObject(unreachable(/took longer/));
  });

  it('fails requests after its end', async () => {
    withVirsh('exec sleep 60');
    const libvirt = openLibvirt('qemu:///system');
    await libvirt.close();
    await expect(libvirt.uri()).rejects.toMatchObject(unreachable(/the connection is closed$/));
  });

  it.each(['', 'vm', '--help', '; quit', "12' --x", '00000000-0000-0000-0000-00000000000g'])(
    'refuses a value that is not a UUID: %j',
    async (text) => {
      withVirsh('exec sleep 60');
      await using libvirt = openLibvirt('qemu:///system');
      await expect(libvirt.dumpXml(text as DomainUuid)).rejects.toMatchObject({ name: 'InputError' });
      await expect(libvirt.snapshotsWithMemory(text as DomainUuid)).rejects.toMatchObject({ name: 'InputError' });
    },
  );

  it('leaves no temporary file of a domain that it could not define', async () => {
    withVirsh('exit 1');
    const temporary = (): string[] => readdirSync(tmpdir()).filter((name) => /^vsmmu-[0-9a-f]{24}$/.test(name));
    const before = temporary();
    const libvirt = openLibvirt('qemu:///system');
    await expect(libvirt.define('<domain/>')).rejects.toThrow();
    await libvirt.close();
    expect(temporary().filter((name) => !before.includes(name))).toEqual([]);
  });
});

describe('a UUID', () => {
  it.each([
    ['C0EB30DF-2a0b-485e-a94d-44983cc36025', 'c0eb30df-2a0b-485e-a94d-44983cc36025'],
    ['c0eb30df2a0b485ea94d44983cc36025', 'c0eb30df-2a0b-485e-a94d-44983cc36025'],
    ['12', undefined],
    ['c0eb30df-2a0b-485e-a94d-44983cc3602', undefined],
    ['c0eb30df-2a0b-485e-a94d-44983cc36025 ', undefined],
  ])('of %j is %s', (text, uuid) => {
    expect(parseUuid(text)).toBe(uuid);
  });
});
