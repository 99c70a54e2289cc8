import { describe, expect, it } from 'vitest';
import { attachImpossible } from '../../src/diagnostics/attach.js';
import { runIncomplete, stateLocked } from '../../src/diagnostics/batch.js';
import { deviceMoved, iommufdChanged } from '../../src/diagnostics/devices.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { domainNotAarch64 } from '../../src/diagnostics/domain.js';
import {
  busNumbersExhausted,
  busWindowTooSmall,
  expanderBusFull,
  sparePortExposed,
  sparePortsLeftOut,
  switchNotMirrored,
} from '../../src/diagnostics/expander-buses.js';
import { acsHint, groupShared } from '../../src/diagnostics/groups.js';
import { policyInvalid, topologyInvalid } from '../../src/diagnostics/json.js';
import { libvirtTooOld, libvirtUnreachable } from '../../src/diagnostics/libvirt.js';
import { numaCellUnknown, numaDistanceMissing } from '../../src/diagnostics/numa.js';
import { addressDropped, metadataInvalid, relayoutMoved, revertUnrecorded } from '../../src/diagnostics/record.js';
import { deviceBehindEmulatedSmmu, deviceBehindOtherSmmu, iommuConflict } from '../../src/diagnostics/vsmmu.js';
import { listNames } from '../../src/diagnostics/words.js';

const smmu = 'smmu3.0x1';
const resource = { what: 'slots', sum: 3, limit: 4, ledger: [{ consumer: 'ports', count: 3 }], savings: [] };
const mates = { devices: ['a'], group: 7, others: [], portsWithoutAcs: [], refused: false };
const cell = { smmu, node: 1, unbound: '' };
const distance = { from: 0, to: 1, cell: 2, sibling: 3, more: 0 };
const savings = [
  { how: 'x', saved: 1, isEnough: false },
  { how: 'y', saved: 2, isEnough: true },
];
const apart = { devices: ['a'], switch: 'b', options: ['x'] };
const behind = { device: 'a', smmu, vsmmu: 'the vSMMU', serves: undefined };

describe('a message fits its arguments:', () => {
  it.each<[found: Diagnostic, message: string]>([
    [
      attachImpossible.noMemory({ device: 'a', needed: '1M', largest: undefined, options: '' }),
      'a cannot be plugged in: it needs 1M of 64-bit prefetchable memory, and no free port reserves any',
    ],
    [
      attachImpossible.noMemory({ device: 'a', needed: '2M', largest: '1M', options: '' }),
      'a cannot be plugged in: it needs 2M of 64-bit prefetchable memory, and no free port reserves more than 1M',
    ],
    [stateLocked({ process: undefined }), 'another batch is running'],
    [stateLocked({ process: '42' }), 'another batch (process 42) is running'],
    [runIncomplete.missing({ domain: 'vm', more: 0 }), 'there is no result for vm'],
    [runIncomplete.missing({ domain: 'vm', more: 1 }), 'there is no result for vm and 1 more'],
    [deviceMoved.host({ device: 'a', from: undefined, to: 'c', smmu: undefined }), 'a moves to c, behind no vSMMU'],
    [deviceMoved.host({ device: 'a', from: 'b', to: 'c', smmu }), 'a moves from b to c, behind the vSMMU of smmu3.0x1'],
    [
      iommufdChanged.device({ device: 'a', why: 'group' }),
      "a has iommufd='no', which becomes 'yes': a device of its IOMMU group has iommufd",
    ],
    [
      iommufdChanged.device({ device: 'a', why: 'accelerated' }),
      "a has iommufd='no', which becomes 'yes': an accelerated vSMMU needs it",
    ],
    [domainNotAarch64({ arch: undefined }), 'the domain has no architecture, so it is not for aarch64'],
    [domainNotAarch64({ arch: 'x86_64' }), 'the domain is for x86_64, not aarch64'],
    [busNumbersExhausted({ ...resource, sum: 5 }), '5 of 4 slots are needed: 3 ports'],
    [
      busNumbersExhausted({ ...resource, sum: 4 }),
      '4 of 4 slots are needed: 3 ports, and the free ones are not contiguous',
    ],
    [
      busWindowTooSmall.numbered({ consumer: 'it', busNr: 5, end: 7, needed: 3 }),
      'it has bus numbers 5 to 6 and needs 3',
    ],
    [
      busWindowTooSmall.numbered({ consumer: 'it', busNr: 5, end: 5, needed: 3 }),
      'it shares its busNr 5 with another expander bus and needs 3',
    ],
    [busWindowTooSmall.root({ needed: 3, added: 0, available: 2 }), 'pcie.0 needs 3 bus numbers, but has only 2'],
    [
      busWindowTooSmall.root({ needed: 3, added: 1, available: 2 }),
      'pcie.0 needs 3 bus numbers, including 1 for ports that libvirt will add, but has only 2',
    ],
    [
      expanderBusFull({ devices: ['a'], smmu, full: undefined }),
      'a gets a further expander bus for smmu3.0x1: the previous expander bus is full',
    ],
    [
      expanderBusFull({ devices: ['a', 'b'], smmu, full: 3 }),
      'a, b get a further expander bus for smmu3.0x1: expander bus 3 is full',
    ],
    [
      sparePortsLeftOut({ expanderBus: undefined, smmu, room: 1, lacking: 2 }),
      'the expander bus of smmu3.0x1 has room for only 1 of 2 more spare ports',
    ],
    [
      sparePortsLeftOut({ expanderBus: 4, smmu, room: 1, lacking: 2 }),
      'expander bus 4 of smmu3.0x1 has room for only 1 of 2 more spare ports',
    ],
    [
      sparePortExposed({ port: 5, devices: 1 }),
      'libvirt would give the port 5, which is behind a vSMMU, to a device without an address',
    ],
    [
      sparePortExposed({ port: 5, devices: 2 }),
      'libvirt would give the port 5, which is behind a vSMMU, to one of 2 devices without an address',
    ],
    [groupShared({ ...mates, refused: true }), 'a cannot be placed: they share IOMMU group 7'],
    [groupShared({ ...mates, devices: ['a', 'b'] }), 'a and b stay on pcie.0: they share IOMMU group 7'],
    [
      groupShared({ ...mates, others: [{ bdf: 'c', bridge: true }] }),
      'a stays on pcie.0: IOMMU group 7 also has the bridge c',
    ],
    [
      topologyInvalid.groupSmmus({ path: '', device: 'a', group: 1, smmu: null }),
      '/: a is also in IOMMU group 1, but behind no SMMU',
    ],
    [
      topologyInvalid.groupSmmus({ path: '/x', device: 'a', group: 1, smmu }),
      '/x: a is also in IOMMU group 1, but behind smmu3.0x1',
    ],
    [
      libvirtTooOld({ iommufd: true }),
      'the libvirt installed here does not know accel and pciBus: virsh define without --validate would drop them',
    ],
    [
      libvirtTooOld({ iommufd: false }),
      'the libvirt installed here does not know accel, pciBus and iommufd: virsh define without --validate would drop them',
    ],
    [
      numaCellUnknown.noCell(cell),
      'the expander bus of smmu3.0x1 is put on no NUMA cell: no cell of the guest is known to be on host node 1',
    ],
    [
      numaCellUnknown.noCell({ ...cell, unbound: '2-3' }),
      'the expander bus of smmu3.0x1 is put on no NUMA cell: no cell of the guest is known to be on host node 1; cells 2-3 are not bound to a single node',
    ],
    [numaDistanceMissing(distance), 'the host has no distance from node 0 to node 1 (cells 2 and 3)'],
    [
      numaDistanceMissing({ ...distance, more: 1 }),
      'the host has no distance from node 0 to node 1 (cells 2 and 3), and 1 more',
    ],
    [metadataInvalid.broken({ path: '', constraint: 'is bad' }), 'the record in <metadata> is broken: / is bad'],
    [metadataInvalid.broken({ path: '/a', constraint: 'is bad' }), 'the record in <metadata> is broken: /a is bad'],
    [
      revertUnrecorded({ why: undefined }),
      'the domain has expander buses for vSMMUs, and no record of what was there before',
    ],
    [revertUnrecorded({ why: 'a torn record' }), 'the domain has expander buses for vSMMUs, and a torn record'],
    [addressDropped({ element: 'rng', address: undefined }), '<rng> loses its address: libvirt chooses a new one'],
    [
      addressDropped({ element: 'rng', address: '00:01.0' }),
      '<rng> loses its address 00:01.0: libvirt chooses a new one',
    ],
    [
      relayoutMoved({ element: 'rng', from: undefined, to: 'b' }),
      '<rng> moves to b, because its expander bus is removed',
    ],
    [
      relayoutMoved({ element: 'rng', from: 'a', to: 'b' }),
      '<rng> moves from a to b, because its expander bus is removed',
    ],
    [iommuConflict.machineWide({ buses: 1 }), 'the domain has a machine-wide SMMU and an SMMU for one bus'],
    [iommuConflict.machineWide({ buses: 2 }), 'the domain has a machine-wide SMMU and SMMUs for 2 buses'],
    [
      iommuConflict.notExpanderBus({ controller: 3, model: undefined }),
      "pciBus='3' must name a pcie-expander-bus; controller 3 is not in the domain",
    ],
    [
      iommuConflict.notExpanderBus({ controller: 3, model: 'pcie-root-port' }),
      "pciBus='3' must name a pcie-expander-bus; controller 3 is pcie-root-port",
    ],
    [deviceBehindOtherSmmu({ ...behind, smmu: null }), 'a is behind no SMMU on the host, and behind the vSMMU'],
    [
      deviceBehindOtherSmmu({ ...behind, serves: 'smmu3.0x2' }),
      'a is behind smmu3.0x1 on the host, and behind the vSMMU, which serves smmu3.0x2',
    ],
    [
      deviceBehindEmulatedSmmu({ device: 'a', smmu: 'machine' }),
      "a is behind the machine's SMMU, which has no accel='on'",
    ],
    [
      deviceBehindEmulatedSmmu({ device: 'a', smmu: { vsmmu: 'vSMMU 3' } }),
      "a is behind vSMMU 3, which has no accel='on'",
    ],
  ])('$message', (found, message) => {
    expect(found.message).toBe(message);
  });
});

describe('the hint of a message fits its arguments:', () => {
  it.each<[hint: string | undefined, expected: string | undefined]>([
    [acsHint([]), 'these functions have no ACS between them; with ACS, each gets a group of its own'],
    [acsHint(['a']), 'a has no ACS; if the firmware enables it, each device gets a group of its own'],
    [acsHint(['a', 'b']), 'a and b have no ACS; if the firmware enables it, each device gets a group of its own'],
    [policyInvalid.misfit({ path: '/x', constraint: 'is unknown' }).hint, undefined],
    [policyInvalid.misfit({ path: '/x', constraint: 'is unknown', nearest: 'y' }).hint, 'did you mean "y"?'],
    [busNumbersExhausted(resource).hint, 'put devices on the --bypass list, or remove some from the domain'],
    [busNumbersExhausted({ ...resource, savings }).hint, 'x saves 1; y saves 2, which is enough'],
    [libvirtUnreachable({ uri: '', why: 'x' }).hint, 'check that libvirtd is running and that you may connect to it'],
    [libvirtUnreachable({ uri: '', why: 'x', virsh: 'silent' }).hint, 'check that libvirtd responds'],
    [switchNotMirrored({ ...apart, limit: undefined }).hint, 'x puts them below one switch'],
    [switchNotMirrored({ ...apart, limit: 32 }).hint, 'a switch has room for 32 devices'],
  ])('%s', (hint, expected) => expect(hint).toBe(expected));
});

describe('a list of names', () => {
  const letters = 'abcdefghi'.split('');

  it.each<[count: number, list: string]>([
    [0, ''],
    [1, 'a'],
    [2, 'a and b'],
    [8, 'a, b, c, d, e, f, g and h'],
    [9, 'a, b, c, d, e, f, g, h and 1 more'],
  ])('with %i names is %j', (count, list) => expect(listNames(letters.slice(0, count))).toBe(list));
});

describe('a message', () => {
  it('has long words shortened, and at most 4000 characters', () => {
    const long = domainNotAarch64({ arch: `${'x'.repeat(501)} end` }).message;
    expect(long).toBe(`the domain is for ${'x'.repeat(500)}… end, not aarch64`);
    const { length } = domainNotAarch64({ arch: 'word '.repeat(1000) }).message;
    expect(length).toBe(4001);
  });
});
