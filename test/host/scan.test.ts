import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NumaNode } from '../../src/generated/topology.js';
import { scanHost } from '../../src/host/scan.js';
import { bdf, bdfs, changedHost, deviceOf, unpackHost } from './fixture.js';

const SMMU = ['c000000', 'c020000', 'c040000', 'c060000', 'c080000'].map((address) => `smmu3.0x000000000${address}`);

describe('a scan of the whole host', () => {
  const host = scanHost(unpackHost('host-a'));

  it('finds the five SMMUs, by address', () => {
    expect(host.smmus).toEqual(SMMU.map((name) => ({ name, node: null })));
  });

  it('finds every device, by address', () => {
    expect(bdfs(host.topology.devices)).toEqual(readdirSync(join(unpackHost('host-a'), 'bus/pci/devices')).sort());
  });

  it('finds the SMMU of each device', () => {
    expect(SMMU.map((name) => bdfs(host.endpointsBehind(name)))).toEqual([
      ['0000:11:00.0', '0000:11:00.1', '0000:12:00.0'],
      ['0000:31:00.0', '0000:31:10.0', '0000:31:10.2', '0000:31:10.4'],
      ['0000:53:00.0', '0000:54:00.0'],
      ['0000:72:01.0'],
      ['0000:91:00.0', '0000:92:00.0'],
    ]);
  });

  it('reads one device in full', () => {
    expect(deviceOf(host, '0000:11:00.0')).toEqual({
      bdf: '0000:11:00.0',
      vendor: '0x8086',
      device: '0x10d3',
      class: '0x020000',
      driver: 'vfio-pci',
      vfio: true,
      bridge: false,
      smmu: SMMU[0],
      group: 2,
      node: 0,
      parent: '0000:10:00.0',
      physfn: null,
      bars: [
        { index: 0, size: 0x20000, kind: 'memory', bits: 32, prefetchable: false },
        { index: 1, size: 0x20000, kind: 'memory', bits: 32, prefetchable: false },
        { index: 2, size: 0x20, kind: 'io', bits: 32, prefetchable: false },
        { index: 3, size: 0x4000, kind: 'memory', bits: 32, prefetchable: false },
      ],
    });
  });

  it('finds the functions that share an IOMMU group', () => {
    expect(bdfs(host.groupMembers(2))).toEqual(['0000:11:00.0', '0000:11:00.1']);
    expect(bdfs(host.groupMates(deviceOf(host, '0000:11:00.1')))).toEqual(['0000:11:00.0']);
  });

  it('includes the port that an endpoint shares its group with', () => {
    expect(deviceOf(host, '0000:52:00.0')).toMatchObject({ group: 10, bridge: true });
    expect(deviceOf(host, '0000:53:00.0')).toMatchObject({ group: 10, bridge: false });
    expect(bdfs(host.groupMates(deviceOf(host, '0000:53:00.0')))).toEqual(['0000:52:00.0']);
  });

  it('keeps the reserved regions of type direct of a group, and no others', () => {
    const sys = changedHost((at) =>
      writeFileSync(
        at('kernel/iommu_groups/2/reserved_regions'),
        '0x0000000008000000 0x00000000080fffff msi\n0x0000000081000000 0x0000000081ffffff direct\n0x0000000090000000 0x0000000090ffffff direct-relaxable\n',
      ),
    );
    expect(deviceOf(scanHost(sys), '0000:11:00.1').directRegions).toEqual(['0x81000000-0x81ffffff']);
    expect(deviceOf(scanHost(sys), '0000:91:00.0')).not.toHaveProperty('directRegions');
  });

  it('reads the number of address bits of known CPUs', () => {
    const withMidr = (midr: string) =>
      scanHost(
        changedHost((at) => {
          mkdirSync(at('devices/system/cpu/cpu0/regs/identification'), { recursive: true });
          writeFileSync(at('devices/system/cpu/cpu0/regs/identification/midr_el1'), `${midr}\n`);
        }),
      ).addressBits;
    // Neoverse V2 as in Grace, Cortex-A72, and an unknown CPU.
    expect(['0x00000000410fd4f0', '0x00000000410fd083', '0x00000000ff0f1230'].map(withMidr)).toEqual([
      48,
      44,
      undefined,
    ]);
    expect(host.addressBits).toBeUndefined();
  });

  it('reads the number of address bits from /proc/cpuinfo if sysfs has no identification registers', () => {
    const cpu = (implementer: string, part: string) =>
      `processor\t: 0\nBogoMIPS\t: 2000.00\nCPU implementer\t: ${implementer}\nCPU architecture: 8\nCPU part\t: ${part}\n\n`;
    const withCpuinfo = (text: string) =>
      scanHost(
        changedHost((at) => {
          mkdirSync(at('../proc'), { recursive: true });
          writeFileSync(at('../proc/cpuinfo'), text);
        }),
      ).addressBits;
    const cpuinfos = [cpu('0x41', '0xd4f'), cpu('0x41', '0xd08') + cpu('0x41', '0xd4f'), 'vendor_id\t: GenuineIntel\n'];
    expect(cpuinfos.map(withCpuinfo)).toEqual([48, 44, undefined]);
  });

  it('finds the conventional device that shares its group with its bridge, and the one without a group', () => {
    expect(deviceOf(host, '0000:71:00.0')).toMatchObject({ group: 14, bridge: true });
    expect(deviceOf(host, '0000:72:01.0')).toMatchObject({ group: 14, smmu: SMMU[3], parent: '0000:71:00.0' });
    expect(deviceOf(host, '0000:72:02.0')).toMatchObject({ group: null, smmu: null, parent: '0000:71:00.0' });
  });

  it('finds the bridges above a device behind a switch, the nearest first', () => {
    expect(bdfs(host.bridgesAbove(deviceOf(host, '0000:53:00.0')))).toEqual([
      '0000:52:00.0',
      '0000:51:00.0',
      '0000:50:00.0',
    ]);
    expect(host.bridgesAbove(deviceOf(host, '0000:00:10.0'))).toEqual([]);
  });

  it('finds the physical function of virtual ones, each in a group of its own', () => {
    const functions = ['0000:31:10.0', '0000:31:10.2', '0000:31:10.4'].map((address) => deviceOf(host, address));
    expect(functions.map((vf) => vf.physfn)).toEqual(Array(3).fill('0000:31:00.0'));
    expect(functions.map((vf) => vf.group)).toEqual([19, 20, 21]);
    expect(deviceOf(host, '0000:31:00.0').physfn).toBeNull();
  });

  it('reads the size of a large BAR', () => {
    expect(deviceOf(host, '0000:92:00.0').bars).toEqual([
      { index: 0, size: 4096, kind: 'memory', bits: 32, prefetchable: false },
      { index: 2, size: 64 * 2 ** 30, kind: 'memory', bits: 64, prefetchable: true },
    ]);
  });

  it('leaves a device on the root bus behind no SMMU and in no group', () => {
    expect(deviceOf(host, '0000:00:10.0')).toMatchObject({ smmu: null, group: null, node: null, parent: null });
  });

  it('reads the NUMA nodes, two of them Generic Initiators', () => {
    expect(host.nodes).toEqual([
      {
        id: 0,
        cpus: '0-1',
        memory: true,
        memoryKiB: 1023952,
        initiator: false,
        device: null,
        distances: [10, 40, 80, 80],
      },
      {
        id: 1,
        cpus: '2-3',
        memory: true,
        memoryKiB: 981324,
        initiator: false,
        device: null,
        distances: [40, 10, 80, 80],
      },
      { id: 2, cpus: '', memory: false, memoryKiB: 0, initiator: true, device: null, distances: [80, 80, 10, 11] },
      { id: 3, cpus: '', memory: false, memoryKiB: 0, initiator: true, device: null, distances: [80, 80, 11, 10] },
    ] satisfies NumaNode[]);
    expect([host.distance(0, 1), host.distance(3, 2), host.distance(0, 4)]).toEqual([40, 11, undefined]);
  });

  it('takes the node of an SMMU from its devices if firmware names none', () => {
    expect(SMMU.map((name) => host.smmuNode(name))).toEqual([0, 0, 0, 1, 1]);
  });
});

describe('a scan for one domain', () => {
  const only = new Set(['0000:53:00.0', '0000:11:00.1', '0000:31:10.2', '0000:00:10.0', '0000:99:00.0'].map(bdf));
  const needed = [
    '0000:00:10.0',
    ...['0000:10:00.0', '0000:11:00.0', '0000:11:00.1'],
    ...['0000:30:00.0', '0000:31:10.2'],
    ...['0000:50:00.0', '0000:51:00.0', '0000:52:00.0', '0000:53:00.0'],
  ];

  it('has its devices, their group members and the bridges above both, as in the whole scan', () => {
    const whole = scanHost(unpackHost('host-a'));
    expect(scanHost(unpackHost('host-a'), only).topology.devices).toEqual(
      needed.map((address) => deviceOf(whole, address)),
    );
  });

  it('has every SMMU and every node, except the size of their memory', () => {
    const whole = scanHost(unpackHost('host-a')).topology;
    const scanned = scanHost(unpackHost('host-a'), only).topology;
    expect(scanned.smmus).toEqual(whole.smmus);
    expect(scanned.nodes).toEqual(whole.nodes.map(({ memoryKiB: _, ...node }) => node));
  });

  it('reads no other device', () => {
    const sys = changedHost((at) => {
      for (const address of readdirSync(at('bus/pci/devices')).filter((name) => !needed.includes(name))) {
        writeFileSync(join(at('bus/pci/devices'), address, 'class'), 'not to be read\n');
      }
    });
    expect(bdfs(scanHost(sys, only).topology.devices)).toEqual(needed);
    expect(() => scanHost(sys)).toThrow(/is not an id of 6 digits/);
  });

  it('finds nothing for an address that the host does not have', () => {
    expect(scanHost(unpackHost('host-a'), new Set([bdf('0000:99:00.0')])).topology.devices).toEqual([]);
  });
});
