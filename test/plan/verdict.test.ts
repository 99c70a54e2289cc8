import { describe, expect, it } from 'vitest';
import type { Bdf } from '../../src/domain/address.js';
import { DEFAULT_POLICY, type Policy } from '../../src/plan/policy.js';
import { judgeDevices } from '../../src/plan/verdict.js';
import { domainWith, hostdev, hostWith, smmuName } from './example.js';

const host = hostWith(2, {
  1: { smmu: 0 },
  2: { smmu: 1 },
  3: { smmu: null },
  4: { smmu: null, group: null },
  5: { smmu: 0, group: 50 },
  6: { smmu: 0, group: 50 },
  7: { smmu: 0, group: 70 },
  8: { smmu: 0, group: 70, vfio: false },
});

const UNASSIGNED = "<address type='unassigned'/>";

function judge(devices: readonly string[], policy: Partial<Policy> = {}) {
  const { of, diagnostics } = judgeDevices(domainWith(...devices), host, { ...DEFAULT_POLICY, ...policy });
  return {
    verdicts: [...of.values()].map((v) => (v.smmu === undefined ? v.reason : v.smmu)),
    told: diagnostics.map((d) => `${d.severity} ${d.code}`),
  };
}

describe('a device', () => {
  it.each<[title: string, devices: string[], verdict: string, told: string[], policy?: Partial<Policy>]>([
    ['goes behind the SMMU that it is behind on the host', [hostdev(1)], smmuName(0), []],
    ['stays when it is behind none', [hostdev(3)], 'device-without-smmu', ['note device-without-smmu']],
    ['stays when it is in no group', [hostdev(4)], 'device-without-group', ['warning device-without-group']],
    [
      'stays when it is not given to the guest',
      [hostdev(1, UNASSIGNED)],
      'device-unassigned',
      ['note device-unassigned'],
    ],
    [
      'stays when the policy says so',
      [hostdev(1)],
      'device-bypassed',
      ['note device-bypassed'],
      { bypass: ['0000:01:00.0' as Bdf] },
    ],
    ['is an error when the host has none', [hostdev(99)], 'device-missing', ['error device-missing']],
  ])('%s', (_title, devices, verdict, told, policy) => {
    expect(judge(devices, policy)).toEqual({ verdicts: [verdict], told });
  });

  it('is judged by itself', () => {
    expect(judge([hostdev(2), hostdev(1)]).verdicts).toEqual([smmuName(1), smmuName(0)]);
  });

  it('is told of when it is a mediated one', () => {
    const { told } = judge(["<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source/></hostdev>"]);
    expect(told).toEqual(['note device-mediated']);
  });
});

describe('devices of one group', () => {
  const both = [hostdev(5), hostdev(6)];

  it('stay together', () => {
    expect(judge(both)).toEqual({ verdicts: ['group-shared', 'group-shared'], told: ['warning group-shared'] });
  });

  it('are refused where the policy wants that', () => {
    expect(judge(both, { groupMates: 'error' }).told).toEqual(['error group-shared']);
  });

  it('stay when only one of them is given to the guest', () => {
    expect(judge([hostdev(5), hostdev(6, UNASSIGNED)])).toEqual({
      verdicts: ['group-shared', 'device-unassigned'],
      told: ['note device-unassigned', 'warning group-shared'],
    });
  });

  it('stay together when one of them is on the bypass list', () => {
    const { verdicts } = judge(both, { bypass: ['0000:05:00.0' as Bdf] });
    expect(verdicts).toEqual(['device-bypassed', 'group-shared']);
  });

  it('are no matter when all of them stay', () => {
    const bypass = ['0000:05:00.0', '0000:06:00.0'] as Bdf[];
    expect(judge(both, { bypass, groupMates: 'error' }).told).toEqual(['note device-bypassed', 'note device-bypassed']);
  });

  it('stay when a host driver holds one that the domain does not have, which VFIO refuses', () => {
    expect(judge([hostdev(7)])).toEqual({
      verdicts: ['group-shared'],
      told: ['warning group-shared', 'warning group-not-viable'],
    });
    expect(judge([hostdev(5)]).told).toEqual(['warning group-shared']);
  });

  it('are not warned of for a holder when that one is in the domain, for libvirt to bind', () => {
    expect(judge([hostdev(7), hostdev(8, UNASSIGNED)]).told).toEqual([
      'note device-unassigned',
      'warning group-shared',
    ]);
  });
});
