import { describe, expect, it } from 'vitest';
import { directRegionDiagnostics, groupsOf, viabilityDiagnostics } from '../../src/host/groups.js';
import { compareSmmu, Host } from '../../src/host/host.js';
import { type DeviceSpec, hostOf, smmuName } from '../plan/build.js';
import { domainWith, hostdev } from '../plan/example.js';
import { bdf, deviceOf } from './fixture.js';

/** A host whose first SMMU and whose devices are on these NUMA nodes. */
function hostOnNodes(smmuNode: number | null, ...deviceNodes: readonly (number | null)[]): Host {
  const { topology } = hostOf(
    2,
    deviceNodes.map((_, n) => ({ bdf: `0000:0${n}:00.0` })),
  );
  return new Host({
    ...topology,
    smmus: topology.smmus.map((smmu, n) => (n === 0 ? { ...smmu, node: smmuNode } : smmu)),
    devices: topology.devices.map((device, n) => ({ ...device, node: deviceNodes[n] ?? null })),
  });
}

const node = (id: number, cpus: string) => ({ id, cpus, memory: true, initiator: false, device: null, distances: [] });

describe('a host', () => {
  it.each<[title: string, host: Host, expected: number | null]>([
    ['that firmware names', hostOnNodes(0, 1, 1), 0],
    ['of all its devices', hostOnNodes(null, 1, 1), 1],
    ['that is unknown if its devices are on several', hostOnNodes(null, 0, 1), null],
    ['that is unknown if only some devices have one', hostOnNodes(null, null, 1), null],
    ['that is unknown without devices', hostOnNodes(null), null],
  ])('has each SMMU on the node %s', (_, host, expected) => {
    expect(host.smmuNode(smmuName(0))).toBe(expected);
  });

  it.each([
    ['the only node', [node(0, '0-3')], 0],
    ['the only node that has any', [node(0, ''), node(1, '0-3')], 1],
    ['several nodes', [node(0, '0-1'), node(1, '2-3')], undefined],
    ['no known node', [], undefined],
  ])('has its CPUs on %s', (_, nodes, expected) => {
    expect(new Host({ ...hostOf(0, []).topology, nodes }).soleCpuNode).toBe(expected);
  });

  it('returns the SMMU that most of the given devices are behind, or the first of several', () => {
    const host = hostOf(3, [
      { bdf: '0000:00:00.0', smmu: 2 },
      { bdf: '0000:01:00.0', smmu: 1 },
      { bdf: '0000:02:00.0', smmu: 2 },
      { bdf: '0000:03:00.0', smmu: null },
    ]);
    const most = (...numbers: number[]) => host.smmuOfMost(numbers.map((n) => ({ bdf: bdf(`0000:0${n}:00.0`) })));
    expect([most(0, 1, 2), most(0, 1), most(1, 3, 9), most(3, 9), most()]).toEqual([
      smmuName(2),
      smmuName(1),
      smmuName(1),
      undefined,
      undefined,
    ]);
  });

  it('returns whether a device is alone in its group', () => {
    const host = hostOf(1, [
      { bdf: '0000:00:00.0', group: 1 },
      { bdf: '0000:01:00.0', group: 2 },
      { bdf: '0000:01:00.1', group: 2 },
      { bdf: '0000:02:00.0', group: null },
      { bdf: '0000:03:00.0', group: null },
    ]);
    const devices = host.endpoints.map((device) => [host.isIsolated(device), host.groupMates(device).length]);
    expect(devices).toEqual([
      [true, 0],
      [false, 1],
      [false, 1],
      [false, 0],
      [false, 0],
    ]);
    expect(host.groupMembers(3)).toEqual([]);
  });

  it('has its SMMUs in the order of their addresses, also with short names', () => {
    const names = ['smmu3.0x20000000', 'smmu3.0x9000000', 'smmu3.0x10000000', 'smmu3.0x10000000'];
    const sorted = names.map((name) => ({ name, node: null })).sort(compareSmmu);
    expect(sorted.map(({ name }) => name)).toEqual([names[1], names[2], names[3], names[0]]);
    expect(compareSmmu({ name: 'smmu3.0x1', node: null }, { name: 'smmu3.0x1', node: 0 })).toBe(0);
  });
});

describe('the IOMMU groups of a domain', () => {
  const UNASSIGNED = "<address type='unassigned'/>";
  const group = (devices: readonly DeviceSpec[], ...elements: readonly string[]) =>
    groupsOf(domainWith(...elements), hostOf(1, devices))[0];

  it('are held only by endpoints that have a host driver and are not in the domain', () => {
    const found = group(
      [
        { bdf: '0000:00:00.0', group: 4, bridge: true, driver: 'pcieport' },
        { bdf: '0000:01:00.0', group: 4, driver: 'nvme' },
        { bdf: '0000:01:00.1', group: 4, driver: 'nvme' },
        { bdf: '0000:01:00.2', group: 4 },
        { bdf: '0000:01:00.3', group: 4, driver: null },
      ],
      hostdev(1),
    );
    expect(found?.members).toHaveLength(5);
    expect(found?.held.map((device) => device.bdf)).toEqual(['0000:01:00.1']);
    expect(found && viabilityDiagnostics(found)).toMatchObject([{ code: 'group-not-viable' }]);
  });

  it('cannot be assigned with a reserved region of any member', () => {
    const region = '0x81000000-0x81ffffff';
    const devices = [
      { bdf: '0000:01:00.0', group: 4 },
      { bdf: '0000:01:00.1', group: 4, directRegions: [region] },
    ];
    const found = group(devices, hostdev(1));
    expect(found && directRegionDiagnostics(found)).toMatchObject([
      { code: 'group-direct-region', message: expect.stringContaining(region) },
    ]);
  });

  it('do not matter if the guest sees none of their devices', () => {
    const devices: DeviceSpec[] = [
      { bdf: '0000:01:00.0', group: 4, directRegions: ['0x1-0x2'] },
      { bdf: '0000:01:00.1', group: 4, driver: 'nvme' },
    ];
    const found = group(devices, hostdev(1, UNASSIGNED));
    expect(found?.devices).toHaveLength(1);
    expect(found?.given).toEqual([]);
    expect(found && [...directRegionDiagnostics(found), ...viabilityDiagnostics(found)]).toEqual([]);
  });

  it('do not include devices that are in no group or not on the host', () => {
    expect(group([{ bdf: '0000:01:00.0', group: null }], hostdev(1), hostdev(2))).toBeUndefined();
  });
});

describe('a device of a host', () => {
  it('has bridges above it up to the root', () => {
    const host = hostOf(1, [
      { bdf: '0000:00:01.0', bridge: true },
      { bdf: '0000:01:00.0', parent: '0000:00:01.0' },
    ]);
    expect(host.bridgesAbove(deviceOf(host, '0000:01:00.0')).map((bridge) => bridge.bdf)).toEqual(['0000:00:01.0']);
    expect(host.bridgesAbove(deviceOf(host, '0000:00:01.0'))).toEqual([]);
  });
});
