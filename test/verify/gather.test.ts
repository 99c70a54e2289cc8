import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findQemu, readQemuLog, smmuDevices } from '../../src/verify/gather.js';
import { temporaryFolder } from '../cli/run.js';

const UUID = '0a1b2c3d-0000-4000-8000-00000000abcd';
const OTHER = '0a1b2c3d-0000-4000-8000-00000000abce';

/** A /proc with these processes: the command line and the name of each, by id. */
function procWith(processes: Readonly<Record<string, { argv: readonly string[]; name?: string; start?: number }>>) {
  const proc = temporaryFolder();
  for (const [pid, { argv, name = 'qemu', start = 4250 }] of Object.entries(processes)) {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, 'cmdline'), argv.map((word) => `${word}\0`).join(''));
    // proc_pid_stat(5): field 3 is the state, field 22 the start time in ticks.
    const fields = ['S', ...Array.from({ length: 18 }, (_, n) => `${n + 4}`), `${start}`, '23', '24'];
    writeFileSync(join(proc, pid, 'stat'), `${pid} (${name}) ${fields.join(' ')}\n`);
  }
  return proc;
}

const qemu = (uuid: string, program = '/usr/bin/qemu-system-aarch64') => [program, '-name', 'vm', '-uuid', uuid, '-S'];

describe('the QEMU of a domain', () => {
  it('is the process that was started with its UUID, with the time of its start', () => {
    const proc = procWith({ 7: { argv: qemu(OTHER) }, 8: { argv: qemu(UUID), name: 'CPU 0) (KVM' } });
    expect(findQemu(UUID, proc)).toEqual({ argv: [...qemu(UUID), ''], since: 42.5 });
  });

  it.each<[title: string, argv: string[]]>([
    ['has another UUID', qemu(OTHER)],
    ['has no UUID', ['/usr/bin/qemu-system-aarch64', UUID]],
    ['has the UUID elsewhere', ['/usr/bin/qemu-system-aarch64', '-name', UUID, '-uuid', OTHER]],
    ['is another program', qemu(UUID, '/opt/qemu/bin/wrapper')],
    ['has no command line', []],
  ])('is not a process that %s', (_, argv) => {
    expect(findQemu(UUID, procWith({ 8: { argv } }))).toBeUndefined();
  });

  it('is found among processes that have ended and other files', () => {
    const proc = procWith({ 9: { argv: qemu(UUID) }, self: { argv: qemu(UUID), start: 100 } });
    mkdirSync(join(proc, '8'));
    writeFileSync(join(proc, 'uptime'), '1 1\n');
    expect(findQemu(UUID, proc)?.since).toBe(42.5);
  });
});

describe("QEMU's log of a domain", () => {
  afterEach(() => void vi.unstubAllEnvs());

  const SESSION = 'qemu:///session';

  /** Writes a log into a folder, which is then the user's cache. */
  function cacheWith(text: string | Buffer, name = 'vm'): string {
    const cache = temporaryFolder();
    mkdirSync(join(cache, 'libvirt/qemu/log'), { recursive: true });
    writeFileSync(join(cache, 'libvirt/qemu/log', `${name}.log`), text);
    vi.stubEnv('XDG_CACHE_HOME', cache);
    return join(cache, 'libvirt/qemu/log');
  }

  it('is in the cache of the user for a session', () => {
    cacheWith('starting up\n');
    expect(readQemuLog('vm', SESSION)).toBe('starting up\n');
    expect(readQemuLog('vm', 'qemu:///session?socket=x')).toBe('starting up\n');
  });

  it('is in /var/log for the system', () => {
    cacheWith('starting up\n', 'no-such-vm');
    const file = '/var/log/libvirt/qemu/no-such-vm.log';
    expect(readQemuLog('no-such-vm', 'qemu:///system')).toMatchObject({ file });
    expect(readQemuLog('no-such-vm', 'qemu:///sessions')).toMatchObject({ file });
  });

  it('is in ~/.cache without XDG_CACHE_HOME', () => {
    vi.stubEnv('XDG_CACHE_HOME', '');
    vi.stubEnv('HOME', '/nowhere');
    expect(readQemuLog('vm', SESSION)).toEqual({
      file: '/nowhere/.cache/libvirt/qemu/log/vm.log',
      why: expect.stringMatching(/./),
    });
  });

  it('is read from its last 8 MiB', () => {
    cacheWith(Buffer.concat([Buffer.from('first'), Buffer.alloc(8 * 1024 * 1024 - 4, 'x'), Buffer.from('last')]));
    const log = readQemuLog('vm', SESSION);
    expect(typeof log === 'string' && [log.length, log.startsWith('x'), log.endsWith('last')]).toEqual([
      8 * 1024 * 1024,
      true,
      true,
    ]);
  });

  it.each(['../vm', 'a/b', 'a\0b'])('is not looked for with the name %j', (name) => {
    cacheWith('');
    expect(readQemuLog(name, SESSION)).toMatchObject({ why: 'this is not the name of a domain' });
  });
});

describe("the kernel's name of an SMMU", () => {
  it('is that of its platform device, as far as sysfs shows it', () => {
    const sysfs = temporaryFolder();
    mkdirSync(join(sysfs, 'class/iommu/smmu3.0x1'), { recursive: true });
    symlinkSync('../../arm-smmu-v3.8.auto', join(sysfs, 'class/iommu/smmu3.0x1/device'));
    expect(smmuDevices(['smmu3.0x2', 'smmu3.0x1'], sysfs)).toEqual(['arm-smmu-v3.8.auto']);
  });
});
