import { describe, expect, it } from 'vitest';
import { assess, countByClass, explainObstacle } from '../../src/doctor/assessment.js';
import { Host } from '../../src/host/host.js';
import { type DeviceSpec, hostOf } from '../plan/build.js';

/** Returns the obstacles to placing devices: the kind, the devices and the remedy of each. */
function obstacles(host: Host) {
  return assess(host).obstacles.map((each) => [
    each.kind,
    each.devices.map(({ bdf }) => bdf),
    explainObstacle(each).remedy,
  ]);
}

const port = (bdf: string, more: Partial<DeviceSpec> = {}): DeviceSpec => ({ bdf, bridge: true, ...more });

describe('the devices of a host', () => {
  it('can be placed if they are alone in their IOMMU groups and behind an SMMU', () => {
    const { placeable, obstacles: none } = assess(hostOf(1, [port('0000:00:00.0'), { bdf: '0000:01:00.0' }]));
    expect([placeable.map(({ bdf }) => bdf), none]).toEqual([['0000:01:00.0'], []]);
  });

  it('cannot be placed below a port without ACS, which is named', () => {
    const shared = { group: 4, parent: '0000:00:00.0' };
    const host = hostOf(1, [
      port('0000:00:00.0', { group: 4 }),
      { bdf: '0000:01:00.0', ...shared },
      { bdf: '0000:01:00.1', ...shared },
    ]);
    expect(obstacles(host)).toEqual([
      ['port-without-acs', ['0000:01:00.0', '0000:01:00.1'], 'enable ACS, if possible, on 0000:00:00.0'],
    ]);
  });

  it.each<[obstacle: string, device: Partial<DeviceSpec>]>([
    ['no-group', { group: null, smmu: null }],
    ['behind-no-smmu', { smmu: null }],
    ['direct-region', { directRegions: ['0x81000000-0x81ffffff'] }],
  ])('cannot be placed: %s', (obstacle, device) => {
    const host = hostOf(1, [{ bdf: '0000:01:00.0', ...device }, { bdf: '0000:02:00.0' }]);
    expect(obstacles(host)).toEqual([
      [obstacle, ['0000:01:00.0'], obstacle === 'direct-region' ? expect.any(String) : null],
    ]);
  });

  it('cannot be placed if they are functions of one card without ACS', () => {
    const host = hostOf(1, [
      { bdf: '0000:01:00.0', group: 1 },
      { bdf: '0000:01:00.1', group: 1 },
    ]);
    expect(obstacles(host)).toEqual([['functions-without-acs', ['0000:01:00.0', '0000:01:00.1'], null]]);
  });

  it('cannot be placed behind an SMMU without nested translation', () => {
    const { topology } = hostOf(1, [{ bdf: '0000:01:00.0' }]);
    const smmus = topology.smmus.map((smmu) => ({ ...smmu, features: { nesting: false } }));
    expect(obstacles(new Host({ ...topology, smmus }))).toEqual([['no-nesting', ['0000:01:00.0'], null]]);
  });

  it('cannot be placed if the SMMU is off, and turning it on is suggested only then', () => {
    const off = hostOf(0, [{ bdf: '0000:01:00.0', smmu: null, group: null }]);
    expect(obstacles(off)).toEqual([['iommu-off', ['0000:01:00.0'], expect.stringContaining('enable the SMMU')]]);
    const other = hostOf(0, [{ bdf: '0000:01:00.0', smmu: null }]);
    expect(obstacles(other)).toEqual([['no-smmu', ['0000:01:00.0'], null]]);
  });

  it('are counted by class, the most frequent first', () => {
    const classes = ['0x010802', '0x030200', '0x010802', '0x020000'];
    const { devices } = assess(
      hostOf(
        1,
        classes.map((code, n) => ({ bdf: `0000:0${n}:00.0`, class: code })),
      ),
    );
    expect(countByClass(devices)).toBe('2 NVMe, 1 3D, 1 Ethernet');
  });
});
