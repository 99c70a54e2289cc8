import { describe, expect, it } from 'vitest';
import type { Bdf } from '../../src/domain/address.js';
import { judgeDevices } from '../../src/plan/verdict.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
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
  const { verdicts: of, diagnostics } = judgeDevices(domainWith(...devices), host, { ...DEFAULT_POLICY, ...policy });
  return {
    verdicts: [...of.values()].map((v) => (v.smmu === undefined ? v.reason : v.smmu)),
    reported: diagnostics.map((d) => `${d.severity} ${d.code}`),
  };
}

describe('a device', () => {
  it.each<[title: string, devices: string[], verdict: string, reported: string[], policy?: Partial<Policy>]>([
    ['gets a vSMMU for the SMMU that it is behind on the host', [hostdev(1)], smmuName(0), []],
    ['stays on pcie.0 if it is behind no SMMU', [hostdev(3)], 'device-without-smmu', ['note device-without-smmu']],
    [
      'stays on pcie.0 if it is in no IOMMU group',
      [hostdev(4)],
      'device-without-group',
      ['warning device-without-group'],
    ],
    ['stays if it is unassigned', [hostdev(1, UNASSIGNED)], 'device-unassigned', ['note device-unassigned']],
    [
      'stays on pcie.0 if it is on the bypass list',
      [hostdev(1)],
      'device-bypassed',
      ['note device-bypassed'],
      { bypass: ['0000:01:00.0' as Bdf] },
    ],
    ['is an error if the host does not have it', [hostdev(99)], 'device-missing', ['error device-missing']],
  ])('%s', (_title, devices, verdict, reported, policy) => {
    expect(judge(devices, policy)).toEqual({ verdicts: [verdict], reported });
  });

  it('gets its own verdict, whatever the others get', () => {
    expect(judge([hostdev(2), hostdev(1)]).verdicts).toEqual([smmuName(1), smmuName(0)]);
  });

  it('is reported if it is a mediated device', () => {
    const { reported } = judge(["<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source/></hostdev>"]);
    expect(reported).toEqual(['note device-mediated']);
  });
});

describe('devices of one group', () => {
  const both = [hostdev(5), hostdev(6)];

  it('stay together on pcie.0', () => {
    expect(judge(both)).toEqual({ verdicts: ['group-shared', 'group-shared'], reported: ['warning group-shared'] });
  });

  it('are completed by those that the domain lacks, with the policy completeGroups', () => {
    const complete = (...devices: string[]) => {
      const policy = { ...DEFAULT_POLICY, completeGroups: true };
      const { groupMembers, diagnostics } = judgeDevices(domainWith(...devices), host, policy);
      const added = diagnostics.filter(({ code }) => code === 'group-completed');
      return { groupMembers, added: added.map(({ message, location }) => `${location?.line}: ${message}`) };
    };
    expect(complete(hostdev(7))).toMatchObject({
      groupMembers: ['0000:08:00.0'],
      added: [expect.stringMatching(/^5: .*0000:08:00\.0.*0000:07:00\.0/)],
    });
    // Nothing is given to the guest, so nothing has to be complete.
    expect(complete(hostdev(7, UNASSIGNED))).toEqual({ groupMembers: [], added: [] });
    expect(complete(hostdev(7), hostdev(8))).toEqual({ groupMembers: [], added: [] });
  });

  it('are refused if the policy has groupMates: "error"', () => {
    expect(judge(both, { groupMates: 'error' }).reported).toEqual(['error group-shared']);
  });

  it('stay on pcie.0 if one of them is unassigned', () => {
    expect(judge([hostdev(5), hostdev(6, UNASSIGNED)])).toEqual({
      verdicts: ['group-shared', 'device-unassigned'],
      reported: ['note device-unassigned', 'warning group-shared'],
    });
  });

  it('stay together if one of them is on the bypass list', () => {
    const { verdicts } = judge(both, { bypass: ['0000:05:00.0' as Bdf] });
    expect(verdicts).toEqual(['device-bypassed', 'group-shared']);
  });

  it('are not reported if all of them are on the bypass list', () => {
    const bypass = ['0000:05:00.0', '0000:06:00.0'] as Bdf[];
    expect(judge(both, { bypass, groupMates: 'error' }).reported).toEqual([
      'note device-bypassed',
      'note device-bypassed',
    ]);
  });

  it('stay with a warning if the domain lacks one that is bound to a host driver, which VFIO refuses', () => {
    expect(judge([hostdev(7)])).toEqual({
      verdicts: ['group-shared'],
      reported: ['warning group-shared', 'warning group-not-viable'],
    });
    expect(judge([hostdev(5)]).reported).toEqual(['warning group-shared']);
  });

  it('give no warning about a host driver if its device is in the domain, since libvirt rebinds it', () => {
    expect(judge([hostdev(7), hostdev(8, UNASSIGNED)]).reported).toEqual([
      'note device-unassigned',
      'warning group-shared',
    ]);
  });
});
