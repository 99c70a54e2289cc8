import { describe, expect, it } from 'vitest';
import type { Domain } from '../../src/domain/domain.js';
import type { Host } from '../../src/host/host.js';
import { type Planned, plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { at, domainWith, expander, hostdev, hostWith, port, rng, smmuName, vsmmu } from './example.js';

const IOMMUFD = "<driver iommufd='yes'/>";
const host = hostWith(2, { 1: { smmu: 0, group: 7 }, 2: { smmu: 0 }, 3: { smmu: 1 }, 4: { smmu: null, group: 9 } });

function planned(domain: Domain, policy: Partial<Policy> = {}, on: Host = host): Planned {
  return plan(domain, on, { ...DEFAULT_POLICY, ...policy });
}

/** The devices of each expander bus, by controller index. */
function busesOf(domain: Domain, policy: Partial<Policy> = {}): Record<number, readonly string[]> {
  const { expanderBuses } = planned(domain, policy).plan;
  return Object.fromEntries(
    expanderBuses.map(({ controllerIndex, ports }) => [controllerIndex, ports.flatMap(({ devices }) => devices)]),
  );
}

describe('a plan', () => {
  it('has the version of its format', () => {
    expect(planned(domainWith(hostdev(1))).plan.version).toBe(1);
  });

  it('has each device as it is and as it will be', () => {
    const { devices } = planned(domainWith(port(1), port(2), hostdev(1, at(1)), hostdev(4, IOMMUFD + at(2)))).plan;
    expect(devices).toMatchObject([
      { bdf: '0000:01:00.0', verdict: 'placed', reason: null, smmu: smmuName(0), group: 7, iommufd: 'yes' },
      { bdf: '0000:04:00.0', verdict: 'bypassed', reason: 'device-without-smmu', smmu: null, group: 9, iommufd: 'yes' },
    ]);
    expect(devices[0]?.from).toEqual({ bus: 1, slot: 0, function: 0 });
    expect(devices[0]?.to).not.toEqual(devices[0]?.from);
    expect(devices[1]?.to).toEqual(devices[1]?.from);
  });

  it('has the aliases of existing expander buses and ports, the chassis that libvirt would choose, and new aliases', () => {
    const bare = `<controller type='pci' index='2' model='pcie-root-port'>${at(1)}</controller>`;
    const named = port(3, at(1, 1)).replace('<target', "<alias name='ua-mine'/><target");
    const of = (alias: string) =>
      planned(domainWith(expander(1, 200, alias), bare, named, hostdev(1, at(2)), vsmmu(1))).plan.expanderBuses;
    expect(of('ua-own')).toMatchObject([
      {
        alias: 'ua-own',
        busNr: 200,
        ports: [
          { controllerIndex: 2, chassis: 2, alias: null, kept: true, address: { bus: 1, slot: 0, function: 0 } },
          { controllerIndex: 3, chassis: 3, alias: 'ua-mine', kept: true },
        ],
      },
    ]);
    expect(of('')).toMatchObject([{ alias: null }]);
    expect(planned(domainWith(hostdev(1))).plan.expanderBuses[0]?.alias).toMatch(/^ua-vsmmu-smmu-c000000-\d+$/);
  });

  it('keeps the functions of a slot together, with multifunction on function 0 and where the domain has it', () => {
    const both = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: 0 }, 3: { smmu: 0 } });
    const multifunction = (address: string) => address.replace('/>', " multifunction='on'/>");
    const domain = domainWith(
      port(1),
      hostdev(1, at(1)),
      hostdev(2, at(1, 0, 3)),
      port(2),
      hostdev(3, multifunction(at(2))),
    );
    const moved = planned(domain, {}, both).plan.devices.map(({ to, multifunction: on }) => [to?.function, on]);
    expect(moved).toEqual([
      [0, true],
      [3, false],
      [0, true],
    ]);
  });
});

describe('an expander bus without a vSMMU', () => {
  const named = 'ua-vsmmu-smmu-c000000-1';

  it('gets one for devices of its SMMU, if vsmmu added it', () => {
    expect(busesOf(domainWith(expander(1, 200, named), port(2, at(1)), hostdev(1)))).toEqual({ 1: ['0000:01:00.0'] });
  });

  it('stays as it is, if vsmmu did not add it or an emulated device is behind it', () => {
    expect(Object.keys(busesOf(domainWith(expander(1, 200), port(2, at(1)), hostdev(1))))).not.toContain('1');
    const emulated = domainWith(expander(1, 200, named), port(2, at(1)), rng(at(2)), port(3, at(1, 1)), hostdev(1));
    expect(Object.keys(busesOf(emulated))).not.toContain('1');
  });
});

describe('an expander bus per device', () => {
  const device = { grouping: 'device' } as const;

  it('is an existing one for one device, if it is empty', () => {
    const empty = [expander(1, 200, 'ua-vsmmu-smmu-c000000-1'), port(2, at(1)), port(3, at(1, 1))];
    const buses = busesOf(domainWith(...empty, hostdev(1), hostdev(2)), device);
    expect(Object.values(buses).map((each) => each.length)).toEqual([1, 1]);
    expect(buses[1]).toEqual(['0000:01:00.0']);
  });

  it('is a new one, if each existing one has a device', () => {
    const taken = [expander(1, 200), port(2, at(1)), port(3, at(1, 1)), hostdev(1, at(2)), vsmmu(1)];
    const buses = busesOf(domainWith(...taken, hostdev(2)), device);
    expect(buses[1]).toEqual(['0000:01:00.0']);
    expect(Object.values(buses)).toContainEqual(['0000:02:00.0']);
  });
});

describe('spare ports for which an expander bus has no room', () => {
  it('are left out, with a note at the expander bus', () => {
    const full = [expander(1, 254), port(2, at(1)), hostdev(1, at(2)), vsmmu(1)];
    const { plan: made, diagnostics } = planned(domainWith(...full), { sparePorts: 2 });
    expect(made.expanderBuses[0]?.ports).toHaveLength(1);
    const note = diagnostics.find(({ code }) => code === 'spare-ports-left-out');
    expect(note?.message).toContain('1');
    expect(note?.location).toMatchObject({ line: 5 });
  });
});
