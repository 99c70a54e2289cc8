import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { kernelConfig, type Machine, THIS_MACHINE, uefiFirmware, withSysfs } from '../../src/host/machine.js';
import { temporaryFolder } from '../cli/run.js';

/** A machine with these files. */
function machineWith(files: Readonly<Record<string, string>>): Machine {
  const names = Object.keys(files);
  return {
    architecture: 'aarch64',
    kernel: '6.19',
    read: (path) => files[path],
    list: (path) => names.filter((file) => file.startsWith(`${path}/`)).map((file) => file.slice(path.length + 1)),
    access: (path) => (path in files ? 'open' : 'absent'),
  };
}

describe('this machine', () => {
  it('reads files, and unpacks those that are compressed', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'config'), 'CONFIG_KVM=y\n');
    writeFileSync(join(folder, 'config.gz'), gzipSync('CONFIG_VFIO=m\n'));
    expect(['config', 'config.gz', 'nothing'].map((name) => THIS_MACHINE.read(join(folder, name)))).toEqual([
      'CONFIG_KVM=y\n',
      'CONFIG_VFIO=m\n',
      undefined,
    ]);
    expect(THIS_MACHINE.list(folder)).toEqual(['config', 'config.gz']);
    expect(THIS_MACHINE.list(join(folder, 'nothing'))).toEqual([]);
    expect(['config', 'nothing'].map((name) => THIS_MACHINE.access(join(folder, name)))).toEqual(['open', 'absent']);
  });

  it('can have another /sys', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'class'));
    writeFileSync(join(folder, 'class/file'), 'text');
    const machine = withSysfs(THIS_MACHINE, folder);
    expect(machine.kernel).toBe(THIS_MACHINE.kernel);
    expect(machine.read('/sys/class/file')).toBe('text');
    expect(machine.list('/sys/class')).toEqual(['file']);
    expect(machine.access('/sys/class/file')).toBe('open');
    expect(machine.list('/system')).toEqual([]);
  });
});

describe('the options of a kernel', () => {
  it('are those that are built in or modules', () => {
    const config = kernelConfig(
      machineWith({ '/proc/config.gz': 'CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D="y"\nCONFIG_E=1\n' }),
    );
    expect([...(config ?? [])]).toEqual([
      ['A', 'y'],
      ['B', 'm'],
    ]);
  });

  it.each([
    [['/proc/config.gz', '/boot/config-6.19', '/usr/lib/modules/6.19/config'], '/proc/config.gz'],
    [['/boot/config-6.19', '/usr/lib/modules/6.19/config'], '/boot/config-6.19'],
    [['/usr/lib/modules/6.19/config', '/boot/config-6.18'], '/usr/lib/modules/6.19/config'],
  ])('are in the first of %j that exists', (files, used) => {
    const texts = Object.fromEntries(files.map((file) => [file, `CONFIG_X=${file === used ? 'y' : 'm'}\n`]));
    expect(kernelConfig(machineWith(texts))?.get('X')).toBe('y');
  });

  it('are unknown if no file has them', () => {
    expect(kernelConfig(machineWith({}))).toBeUndefined();
  });
});

describe('the firmware for Arm guests', () => {
  const descriptor = (mapping: object, { types = ['uefi'], architecture = 'aarch64' } = {}) =>
    JSON.stringify({ 'interface-types': types, mapping, targets: [{ architecture: 'arm' }, { architecture }] });
  const flash = (filename: string) => ({ device: 'flash', executable: { filename } });

  it('is named by the descriptors of both folders, those of the administrator first', () => {
    const machine = machineWith({
      '/usr/share/qemu/firmware/60.json': descriptor(flash('/usr/60')),
      '/usr/share/qemu/firmware/70.json': descriptor({ device: 'memory', filename: '/usr/70' }),
      '/usr/share/qemu/firmware/80.json': descriptor(flash('/etc/50')),
      '/etc/qemu/firmware/50.json': descriptor(flash('/etc/50')),
      '/etc/qemu/firmware/60.json': descriptor(flash('/etc/60')),
      '/etc/qemu/firmware/notes.txt': descriptor(flash('/etc/notes')),
    });
    expect(uefiFirmware(machine)).toEqual(['/etc/50', '/etc/60', '/usr/70']);
  });

  it.each([
    ['for another architecture', descriptor(flash('/x'), { architecture: 'x86_64' })],
    ['a BIOS', descriptor(flash('/x'), { types: ['bios'] })],
    ['described in a broken file', '{'],
    ['described without a mapping', JSON.stringify({ 'interface-types': ['uefi'], targets: [] })],
  ])('is not one %s', (_, text) => {
    expect(uefiFirmware(machineWith({ '/usr/share/qemu/firmware/60.json': text }))).toEqual([]);
  });
});
