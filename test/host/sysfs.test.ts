import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { EnvironmentError } from '../../src/diagnostics/errors.js';
import type { Host } from '../../src/host/host.js';
import { scanHost } from '../../src/host/scan.js';
import { bdf, bdfs, changedHost, deviceOf } from './fixture.js';

const SMMU = ['c000000', 'c020000', 'c040000', 'c060000', 'c080000'].map((address) => `smmu3.0x000000000${address}`);
const NIC = 'devices/pci0000:10/0000:10:00.0/0000:11:00.0';
const BIG = 'devices/pci0000:90/0000:90:01.0/0000:92:00.0';

function relink(path: string, target: string): void {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

function toFolder(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

function toPipe(path: string): void {
  rmSync(path);
  spawnSync('mkfifo', [path]);
}

describe('a scan of another host', () => {
  it('finds no SMMU if the IOMMUs are of another kind', () => {
    const sys = changedHost((at) => {
      for (const [index, name] of SMMU.entries()) renameSync(at(`class/iommu/${name}`), at(`class/iommu/dmar${index}`));
      relink(at(`${NIC}/iommu`), '../../../virtual/iommu/dmar0');
    });
    const host = scanHost(sys);
    expect(host.smmus).toEqual([]);
    expect(deviceOf(host, '0000:11:00.0')).toMatchObject({ smmu: null, group: 2 });
  });

  it('finds no SMMU and no node if the kernel knows neither', () => {
    const sys = changedHost((at) => {
      rmSync(at('class'), { recursive: true });
      rmSync(at('devices/system'), { recursive: true });
      rmSync(at(`${NIC}/numa_node`));
    });
    const host = scanHost(sys);
    expect([host.smmus, host.nodes, deviceOf(host, '0000:11:00.0').node]).toEqual([[], [], null]);
  });

  it('finds the node that firmware gives to an SMMU', () => {
    const sys = changedHost((at) => writeFileSync(at('devices/platform/arm-smmu-v3.0.auto/numa_node'), '1\n'));
    const host = scanHost(sys);
    expect(host.smmus[0]).toEqual({ name: SMMU[0], node: 1 });
    expect(host.smmuNode(SMMU[0] ?? '')).toBe(1);
  });

  it('sorts PCI domains of five digits after those of four', () => {
    const sys = changedHost((at) => {
      const address = '10000:e1:00.0';
      renameSync(at(BIG), at(`devices/pci0000:90/0000:90:01.0/${address}`));
      rmSync(at('bus/pci/devices/0000:92:00.0'));
      symlinkSync(`../../../devices/pci0000:90/0000:90:01.0/${address}`, at(`bus/pci/devices/${address}`));
    });
    expect(bdfs(scanHost(sys).topology.devices).slice(-2)).toEqual(['0000:91:00.0', '10000:e1:00.0']);
  });

  it.each<[title: string, driver: string, folder: boolean, vfio: boolean]>([
    ['vfio-pci', 'vfio-pci', false, true],
    ['a variant of vfio-pci', 'nvgrace_gpu_vfio_pci', false, true],
    ['a driver that offers the device to vfio', 'nvidia', true, true],
    ['any other driver', 'mlx5_core', false, false],
  ])('finds whether a VFIO driver is bound to a device: %s', (_, driver, folder, vfio) => {
    const sys = changedHost((at) => {
      relink(at(`${BIG}/driver`), `../../../../bus/pci/drivers/${driver}`);
      if (folder) mkdirSync(at(`${BIG}/vfio-dev/vfio0`), { recursive: true });
    });
    expect(deviceOf(scanHost(sys), '0000:92:00.0')).toMatchObject({ driver, vfio });
  });

  it('recognizes Generic Initiators by missing CPUs and memory if the kernel does not name them', () => {
    const sys = changedHost((at) => rmSync(at('devices/system/node/has_generic_initiator')));
    expect(scanHost(sys).nodes.map((node) => node.initiator)).toEqual([false, false, true, true]);
  });

  it.each<[title: string, link: string]>([
    ['by its name', '0000:92:00.0'],
    ['by its target', 'device'],
  ])('finds the device that a link in a node names %s', (_, link) => {
    const sys = changedHost((at) => symlinkSync(`../../../../${BIG}`, at(`devices/system/node/node3/${link}`)));
    expect(scanHost(sys).nodes.map((node) => node.device)).toEqual([null, null, null, '0000:92:00.0']);
  });
});

describe('a device that disappears during a scan', () => {
  it('is left out if its link is dangling', () => {
    const sys = changedHost((at) => rmSync(at(BIG), { recursive: true }));
    expect(bdfs(scanHost(sys).endpointsBehind(SMMU[4] ?? ''))).toEqual(['0000:91:00.0']);
  });

  it('is left out with the devices below it', () => {
    const sys = changedHost((at) => rmSync(at('bus/pci/devices/0000:51:00.0')));
    const host = scanHost(sys);
    expect(host.device(bdf('0000:52:00.0'))).toBeUndefined();
    expect(host.device(bdf('0000:53:00.0'))).toBeUndefined();
  });
});

describe('a folder that is not a sysfs', () => {
  it.each<[title: string, sysfs: string]>([
    ['a missing folder', join(tmpdir(), 'vsmmu-nowhere')],
    ['another folder', tmpdir()],
    ['a file', process.execPath],
  ])('is refused: %s', (_, sysfs) => {
    for (const scan of [() => scanHost(sysfs), () => scanHost(sysfs, new Set([bdf('0000:11:00.0')]))]) {
      expect(complaint(scan)).toMatchObject({
        code: 'sysfs-invalid',
        file: sysfs,
        message: 'the folder has no bus/pci/devices, so it is not a /sys',
      });
    }
  });

  it.each<[title: string, change: (at: (path: string) => string) => void, path: string, what: RegExp]>([
    ['a folder', (at) => toFolder(at(`${NIC}/vendor`)), `${NIC}/vendor`, /is not a file/],
    ['a pipe', (at) => toPipe(at(`${NIC}/vendor`)), `${NIC}/vendor`, /is not a file/],
    ['an empty device', (at) => relink(at(`${NIC}/vendor`), '/dev/null'), `${NIC}/vendor`, /is not a file/],
    ['an endless device', (at) => relink(at(`${NIC}/vendor`), '/dev/zero'), `${NIC}/vendor`, /is not a file/],
    [
      'a file that is too large',
      (at) => writeFileSync(at(`${NIC}/vendor`), ' '.repeat(100_000)),
      `${NIC}/vendor`,
      /is larger than any attribute of sysfs/,
    ],
    [
      'a device below itself',
      (at) => {
        renameSync(at(NIC), at('devices/moved'));
        mkdirSync(at(NIC));
        renameSync(at('devices/moved'), at(`${NIC}/0000:11:00.0`));
        relink(at('bus/pci/devices/0000:11:00.0'), `../../../${NIC}/0000:11:00.0`);
      },
      'bus/pci/devices/0000:11:00.0',
      /is below itself/,
    ],
    [
      'an invalid list of CPUs',
      (at) => writeFileSync(at('devices/system/node/node0/cpulist'), '0-99999999999\n'),
      'devices/system/node/node0/cpulist',
      /is not a list of CPUs/,
    ],
    [
      'an invalid ID',
      (at) => writeFileSync(at(`${NIC}/device`), '10d3\n'),
      `${NIC}/device`,
      /is not an id of 4 digits/,
    ],
    [
      'an invalid node',
      (at) => writeFileSync(at(`${NIC}/numa_node`), 'zero\n'),
      `${NIC}/numa_node`,
      /is not a node number/,
    ],
    [
      'invalid resources',
      (at) => writeFileSync(at(`${NIC}/resource`), 'BAR 0\n'),
      `${NIC}/resource`,
      /has a line that is not `start end flags`/,
    ],
    [
      'a group without a number',
      (at) => relink(at(`${NIC}/iommu_group`), '../../groups/x'),
      `${NIC}/iommu_group`,
      /is not a link to a group number/,
    ],
    [
      'a device that is not a link',
      (at) => toFolder(at('bus/pci/devices/0000:11:00.0')),
      'bus/pci/devices/0000:11:00.0',
      /is not a link/,
    ],
    [
      'a link into the real /sys',
      (at) => relink(at('bus/pci/devices/0000:11:00.0'), `/sys/${NIC}`),
      'bus/pci/devices/0000:11:00.0',
      /leads out of the tree, to \/sys\/devices/,
    ],
    [
      'a link that leaves the tree',
      (at) => relink(at('bus/pci/devices/0000:11:00.0'), '../../../../sys/x'),
      'bus/pci/devices/0000:11:00.0',
      /leads out of the tree/,
    ],
    [
      'an invalid list of nodes',
      (at) => writeFileSync(at('devices/system/node/online'), 'all\n'),
      'devices/system/node/online',
      /is not a list of nodes/,
    ],
    [
      'a node without all distances',
      (at) => writeFileSync(at('devices/system/node/node1/distance'), '40 10 80\n'),
      'devices/system/node/node1/distance',
      /does not have a distance for each of 4 nodes/,
    ],
    [
      'a node without its memory',
      (at) => rmSync(at('devices/system/node/node1/meminfo')),
      'devices/system/node/node1/meminfo',
      /has no MemTotal/,
    ],
  ])('is refused with the path of the wrong file: %s', (_, change, path, what) => {
    const sys = changedHost(change);
    const { code, file, message } = complaint(() => scanHost(sys));
    expect(code).toBe('sysfs-unreadable');
    expect(file).toBe(join(sys, path));
    expect(message).toMatch(what);
  });
});

function complaint(scan: () => Host): Diagnostic {
  try {
    scan();
  } catch (error) {
    if (error instanceof EnvironmentError && error.diagnostics[0]) return error.diagnostics[0];
    throw error;
  }
  throw new Error('it was accepted');
}
