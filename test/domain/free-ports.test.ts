import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { awaitingDevices, sparePortDiagnostics } from '../../src/domain/free-ports.js';
import { at, domainWith, hostdev, port, rng } from '../plan/example.js';

describe('the devices for which libvirt chooses an address', () => {
  it('are those without one, except devices that are unassigned or leave, and those that libvirt adds', () => {
    const unassigned = hostdev(3, "<address type='unassigned'/>");
    const domain = domainWith(port(1), hostdev(1), hostdev(2, at(1)), unassigned, rng(), "<graphics type='vnc'/>");
    expect(awaitingDevices(domain)).toBe(3);
    expect(awaitingDevices(domain, new Set(domain.hostDevices))).toBe(2);
  });
});

describe('a spare port behind a vSMMU', () => {
  const found = (spare: readonly number[], guards: readonly number[], awaiting: number) =>
    sparePortDiagnostics({
      spare: spare.map((index) => ({ index: index as ControllerIndex })),
      guards: guards as ControllerIndex[],
      awaiting,
    }).map(({ code, message }) => `${code}: ${/\d+/.exec(message)?.[0]}`);

  it.each<[title: string, spare: number[], guards: number[], awaiting: number, codes: string[]]>([
    ['is fine with a lower free port on pcie.0 for each', [9, 5], [1, 2], 0, []],
    ['is unguarded with fewer of them', [9, 5], [1], 0, ['spare-port-unguarded: 5']],
    ['is unguarded if the free port on pcie.0 is a higher one', [5], [6], 0, ['spare-port-unguarded: 5']],
    ['is fine if a lower free port on pcie.0 exists for each device without an address', [5], [1, 2], 2, []],
    ['is exposed if one of them has no lower free port on pcie.0', [9, 5], [1, 6], 2, ['spare-port-exposed: 5']],
    ['is not reported if none exists', [], [], 3, []],
  ])('%s', (_, spare, guards, awaiting, codes) => {
    expect(found(spare, guards, awaiting).map((each) => each.split(':')[0])).toEqual(
      codes.map((each) => each.split(':')[0]),
    );
  });
});
