import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/diagnostics/errors.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Host } from '../../src/host/host.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { at, domainWith, expander, hostdev, hostWith, port, rng, smmuName, vsmmu } from './example.js';

const ALL_VALUES = { ats: 'off', ril: 'on', ssidsize: 0, oas: 48, cmdqv: 'off' } as const;
const GIVEN = "accel='on' cmdqv='off' ats='off' ril='on' ssidsize='0' oas='48'";

/** A host whose SMMU n has a device on bus 1 + n. */
const hostOf = (smmus: number): Host =>
  hostWith(smmus, Object.fromEntries(Array.from({ length: smmus }, (_, n) => [1 + n, { smmu: n }])));

const made = (domain: Domain, host: Host, policy: Partial<Policy> = {}) =>
  plan(domain, host, { ...DEFAULT_POLICY, ...policy }).plan;

/** The errors for which a domain is refused. */
function errors(domain: Domain, host: Host, policy: Partial<Policy> = {}): string[] {
  try {
    made(domain, host, policy);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code);
  }
  return [];
}

const all = { expanderBuses: 'all', ...ALL_VALUES } as const;

describe('vSMMUs', () => {
  it.each([
    ['may be sixteen', [hostdev(1)], 16, []],
    ['may not be seventeen', [hostdev(1)], 17, ['vsmmus-exhausted']],
    ['include the SMMU of pcie.0', [hostdev(1), "<iommu model='smmuv3'/>"], 16, ['vsmmus-exhausted']],
    ['include one without devices', [expander(1, 100), vsmmu(1, GIVEN), hostdev(1)], 16, ['vsmmus-exhausted']],
  ])('%s', (_title, devices, smmus, expected) => {
    expect(errors(domainWith(...devices), hostOf(smmus), all)).toEqual(expected);
  });
});

describe('an expander bus with a vSMMU', () => {
  const host = hostOf(2);

  it('belongs to the SMMU that most of its devices are behind', () => {
    const domain = domainWith(expander(1, 200), port(2, at(1)), port(3, at(1, 1)), hostdev(2, at(2)), vsmmu(1));
    expect(made(domain, host).expanderBuses.map((b) => [b.smmu, b.kept, b.controllerIndex])).toEqual([
      [smmuName(1), true, 1],
    ]);
  });

  it('belongs to the SMMU in the alias that vsmmu gave it', () => {
    const domain = domainWith(expander(1, 200, 'ua-vsmmu-smmu-c020000-1'), port(2, at(1)), hostdev(2));
    const [expanderBus, ...others] = made(domain, host).expanderBuses;
    expect(expanderBus).toMatchObject({ smmu: smmuName(1), kept: true, vsmmuChange: 'add' });
    expect(expanderBus?.ports.map((p) => p.devices)).toEqual([['0000:02:00.0']]);
    expect(others).toEqual([]);
  });

  it('loses its vSMMU when its last device leaves, and keeps its ports', () => {
    const alias = 'ua-vsmmu-smmu-c020000-1';
    const domain = domainWith(expander(1, 200, alias), port(2, at(1)), vsmmu(1), port(3), hostdev(1, at(3)));
    const [, idle] = made(domain, host).expanderBuses;
    expect(idle).toMatchObject({ smmu: smmuName(1), vsmmuChange: 'remove', vsmmu: {} });
  });

  it('keeps its vSMMU for hot-plug if the domain has all its values', () => {
    const alias = 'ua-vsmmu-smmu-c020000-1';
    const domain = domainWith(expander(1, 200, alias), vsmmu(1, GIVEN), hostdev(1));
    expect(made(domain, host).expanderBuses.map((b) => b.vsmmuChange)).toEqual(['add', 'none']);
  });

  it('is refused if its SMMU is unknown and its values are missing', () => {
    expect(errors(domainWith(expander(1, 200), vsmmu(1), hostdev(1)), host)).toEqual(['vsmmu-values-missing']);
    expect(errors(domainWith(expander(1, 200), vsmmu(1, GIVEN), hostdev(1)), host)).toEqual([]);
  });

  it('does not keep an emulated device, which moves to its own port on pcie.0, with a note', () => {
    const parts = [port(4), expander(1, 200), port(2, at(1)), port(3, at(1, 1)), hostdev(1, at(2)), vsmmu(1)];
    const domain = domainWith(...parts, rng(at(3)));
    expect(made(domain, host).renumbered).toEqual([
      { from: { bus: 3, slot: 0, function: 0 }, to: { bus: 4, slot: 0, function: 0 }, multifunction: false },
    ]);
    expect(plan(domain, host, DEFAULT_POLICY).diagnostics).toContainEqual(
      expect.objectContaining({
        severity: 'note',
        message: '<rng> moves from 03:00.0, behind a vSMMU, to 04:00.0 on pcie.0',
      }),
    );
    expect(made(domainWith(...parts.slice(1), rng(at(3))), host)).toMatchObject({
      rootPorts: [{ controllerIndex: 4 }],
      renumbered: [{ to: { bus: 4 } }],
    });
  });

  it('does not keep an emulated device, whose new port does not count as free for other devices', () => {
    const parts = [expander(1, 200), port(2, at(1)), hostdev(1, at(2)), vsmmu(1), rng(at(2, 0, 1))];
    const added = (...more: readonly string[]) =>
      made(domainWith(...parts, ...more), host).busNumbers.find(({ consumer }) => consumer.includes('libvirt'))
        ?.count ?? 0;
    expect([added(rng('')), added(rng(''), rng(''))]).toEqual([added() + 1, added() + 2]);
  });

  it('gives a host device the port that an emulated device leaves', () => {
    const domain = domainWith(port(3), expander(1, 200), port(2, at(1)), vsmmu(1, GIVEN), rng(at(2)), hostdev(1));
    const named = domainWith(
      port(3),
      expander(1, 200, 'ua-vsmmu-smmu-c000000-1'),
      port(2, at(1)),
      vsmmu(1),
      rng(at(2)),
      hostdev(1),
    );
    expect(made(domain, host).renumbered).toHaveLength(1);
    expect(made(named, host).devices.map(({ to }) => to?.bus)).toEqual([2]);
  });

  it('separates an emulated device and a host device that share a slot', () => {
    const domain = domainWith(port(3), expander(1, 200), port(2, at(1)), vsmmu(1), rng(at(2)), hostdev(1, at(2, 0, 1)));
    expect(made(domain, host)).toMatchObject({
      renumbered: [
        { from: { bus: 2, function: 1 }, to: { bus: 2, function: 0 } },
        { from: { bus: 2, function: 0 }, to: { bus: 3, function: 0 } },
      ],
    });
  });

  it('stays if it is full, and a device gets a second expander bus for the same SMMU, with a note', () => {
    const two = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: 0 } });
    const full = [expander(1, 254), port(2, at(1)), vsmmu(1), hostdev(1, `<driver iommufd='yes'/>${at(2)}`)];
    const domain = domainWith(...full, hostdev(2));
    expect(made(domain, two).expanderBuses.map((b) => [b.kept, b.busNr, b.smmu])).toEqual([
      [true, 254, smmuName(0)],
      [false, 245, smmuName(0)],
    ]);
    expect(plan(domain, two, DEFAULT_POLICY).diagnostics).toContainEqual(
      expect.objectContaining({
        code: 'expander-bus-full',
        message: `0000:02:00.0 gets a further expander bus for ${smmuName(0)}: expander bus 1 is full`,
      }),
    );
    expect(made(domainWith(...full), two, { sparePorts: 1 }).changed).toBe(false);
    expect(plan(domainWith(...full), two, { ...DEFAULT_POLICY, sparePorts: 1 }).diagnostics[0]).toMatchObject({
      code: 'spare-ports-left-out',
    });
  });

  it('accepts as many devices as it has room for', () => {
    const three = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: 0 }, 3: { smmu: 0 } });
    const domain = domainWith(expander(1, 253), port(2, at(1)), vsmmu(1), hostdev(1, at(2)), hostdev(2), hostdev(3));
    const { expanderBuses } = made(domain, three);
    expect(expanderBuses.map((b) => b.ports.flatMap(({ devices }) => devices))).toEqual([
      ['0000:01:00.0', '0000:02:00.0'],
      ['0000:03:00.0'],
    ]);
  });

  it('stays unchanged with an emulated device and an SMMU that QEMU emulates', () => {
    const domain = domainWith(expander(1, 200), port(2, at(1)), rng(at(2)), vsmmu(1, ''), hostdev(1));
    expect(made(domain, host).expanderBuses.map((b) => b.kept)).toEqual([false]);
  });

  it('stays unchanged if vsmmu added it and it has only an emulated device', () => {
    const alias = 'ua-vsmmu-smmu-c000000-1';
    const domain = domainWith(expander(1, 200, alias), port(2, at(1)), rng(at(2)), hostdev(1));
    expect(made(domain, host).expanderBuses.map((b) => [b.kept, b.controllerIndex])).toEqual([[false, 4]]);
  });

  it('does not keep a device that is behind no SMMU on the host', () => {
    const mixed = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: null } });
    const ports = [port(4), expander(1, 200), port(2, at(1)), port(3, at(1, 1))];
    const domain = domainWith(...ports, hostdev(1, at(2)), hostdev(2, at(3)), vsmmu(1));
    expect(made(domain, mixed).devices.map((d) => d.to)).toEqual([
      { bus: 2, slot: 0, function: 0 },
      { bus: 4, slot: 0, function: 0 },
    ]);
  });

  it('swaps devices with another expander bus, each on the port that the other device leaves', () => {
    const expanderBuses = [expander(1, 200, 'ua-vsmmu-smmu-c000000-1'), expander(2, 210, 'ua-vsmmu-smmu-c020000-2')];
    const domain = domainWith(...expanderBuses, port(3, at(1)), port(4, at(2)), hostdev(1, at(4)), hostdev(2, at(3)));
    const { devices, expanderBuses: planned } = made(domain, host);
    expect(devices.map((d) => d.to?.bus)).toEqual([3, 4]);
    expect(planned.flatMap((b) => b.ports).every((p) => p.kept)).toBe(true);
  });
});

describe('a vSMMU for every SMMU of the host', () => {
  it.each(Object.keys(ALL_VALUES))('is refused without %s', (key) => {
    expect(errors(domainWith(hostdev(1)), hostOf(2), { ...all, [key]: 'auto' })).toEqual(['vsmmu-values-missing']);
  });

  it('is a new one if the devices of a hand-made expander bus left it', () => {
    const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1, group: 9 }, 3: { smmu: 1, group: 9 } });
    const domain = domainWith(
      expander(1, 200),
      port(2, at(1)),
      port(3),
      hostdev(2, at(2)),
      hostdev(3, at(3)),
      vsmmu(1),
    );
    const expanderBuses = made(domain, host, all).expanderBuses.map((b) => [b.smmu, b.kept, b.vsmmuChange]);
    expect(expanderBuses).toContainEqual([smmuName(1), false, 'add']);
  });
});

describe('spare ports', () => {
  const host = hostOf(1);
  const placed = (...more: string[]) => domainWith(port(1), hostdev(1, at(1)), ...more);

  it('and device ports each have a free port with a lower index on pcie.0', () => {
    const { rootPorts, expanderBuses } = made(placed(), host, { sparePorts: 3 });
    // The port that the device leaves is the fourth.
    expect(rootPorts.map((p) => p.controllerIndex)).toEqual([2, 3, 4]);
    expect(expanderBuses[0]?.ports.map((p) => [p.controllerIndex, p.devices.length])).toEqual([
      [6, 1],
      [7, 0],
      [8, 0],
      [9, 0],
    ]);
  });

  it('need only as many new ports on pcie.0 as are missing', () => {
    expect(made(placed(port(2), port(3), port(4)), host, { sparePorts: 3 }).rootPorts).toEqual([]);
  });

  it('need one more port on pcie.0 per device without an address, where libvirt puts it', () => {
    expect(made(placed(rng()), host, { sparePorts: 1 }).rootPorts).toHaveLength(2);
  });

  it('are added again in another run after one was used', () => {
    const two = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: 0 } });
    const how = { sparePorts: 1 };
    const domain = domainWith(port(1), hostdev(1, at(1)));
    const once = rewrite(domain, made(domain, two, how));
    const more = parseDomain(once.replace('</devices>', `${hostdev(2)}</devices>`));
    const { expanderBuses } = made(more, two, how);
    expect(expanderBuses.map((b) => b.ports.map(({ devices }) => devices.length))).toEqual([[1, 1, 0]]);
  });

  it('are an error if libvirt would put a device without an address on them', () => {
    const expanderBus = [expander(2, 200), port(3, at(2)), port(4, at(2, 1)), hostdev(1, at(3)), vsmmu(2)];
    expect(errors(domainWith(...expanderBus, rng()), host)).toEqual(['spare-port-exposed']);
    expect(errors(domainWith(port(1), ...expanderBus, rng()), host)).toEqual([]);
    expect(errors(domainWith(port(1), ...expanderBus, rng(), rng()), host)).toEqual(['spare-port-exposed']);
  });
});

describe('resources besides bus numbers that can be exhausted:', () => {
  it('controller indexes', () => {
    expect(errors(domainWith(hostdev(1), rng(at(253))), hostOf(1))).toEqual(
      expect.arrayContaining(['bus-numbers-exhausted']),
    );
    expect(errors(domainWith(hostdev(1), rng(at(254))), hostOf(1))).toEqual(
      expect.arrayContaining(['controller-indexes-exhausted']),
    );
  });

  it('slots of pcie.0', () => {
    const full = Array.from({ length: 30 }, (_, i) => rng(at(0, 1 + i)));
    expect(errors(domainWith(...full, hostdev(1)), hostOf(1))).toEqual([]);
    expect(errors(domainWith(...full, hostdev(1), hostdev(2)), hostOf(2))).toEqual(['slots-exhausted']);
    expect(errors(domainWith(...full, hostdev(1), rng()), hostOf(1))).toEqual(['slots-exhausted']);
  });

  it('slots of an expander bus, whose SMMU gets a second expander bus', () => {
    const host = hostWith(1, Object.fromEntries(Array.from({ length: 33 }, (_, n) => [1 + n, { smmu: 0 }])));
    const devices = Array.from({ length: 33 }, (_, n) => hostdev(1 + n));
    expect(made(domainWith(...devices), host).expanderBuses.map(({ ports }) => ports.length)).toEqual([32, 1]);
  });
});

describe('a domain that vsmmu does not change', () => {
  it.each([
    ['of another architecture', "arch='x86_64' machine='q35'", 'domain-not-aarch64'],
    ['of another machine', "arch='aarch64' machine='raspi4b'", 'domain-not-virt'],
  ])('%s gets an empty plan and a note', (_title, type, code) => {
    const domain = parseDomain(`<domain><os><type ${type}>hvm</type></os><devices>${hostdev(1)}</devices></domain>`);
    const { plan: empty, diagnostics } = plan(domain, hostOf(1), DEFAULT_POLICY);
    expect(diagnostics.map((d) => `${d.severity} ${d.code}`)).toEqual([`note ${code}`]);
    expect(empty).toMatchObject({ changed: false, expanderBuses: [], rootPorts: [] });
  });

  it('is still refused if the host has no SMMU and the domain would need one', () => {
    expect(errors(domainWith(hostdev(1)), hostWith(0, { 1: { smmu: null } }))).toEqual(['host-without-smmu']);
  });
});
