import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { parseDomain } from '../../src/domain/domain.js';
import { qemuOfVersion, UPSTREAM } from '../../src/domain/target.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { PlanOptions } from '../../src/plan/plan.js';
import type { Policy } from '../../src/policy/policy.js';
import { domainXml, hostdev, hostOf, planned } from './build.js';

const bdfOf = (n: number): string => `0000:${(1 + n).toString(16).padStart(2, '0')}:00.0`;
const bdfs = (count: number): string[] => Array.from({ length: count }, (_, n) => bdfOf(n));
const hostWithCmdqv = (count: number, cmdqv: boolean | null) =>
  hostOf(
    1,
    bdfs(count).map((bdf) => ({ bdf })),
    cmdqv === null ? undefined : { cmdqv },
  );
const domainOf = (count: number): string =>
  domainXml(
    bdfs(count)
      .map((bdf) => hostdev(bdf))
      .join(''),
  );

/** The number of devices on each expander bus, and the codes about the expander buses. */
function devicesPerBus(
  count: number,
  policy: Partial<Policy> = {},
  { cmdqv = true as boolean | null, options = {} as PlanOptions, xml = domainOf(count) } = {},
) {
  const { plan, diagnostics } = planned(xml, hostWithCmdqv(count, cmdqv), { busWindow: 0, ...policy }, options);
  return {
    devices: plan.expanderBuses.map(({ ports }) => ports.reduce((sum, port) => sum + port.devices.length, 0)),
    notes: diagnostics.filter(({ code }) => code === 'expander-bus-full').map(({ hint }) => hint),
  };
}

const OFF = 'give --cmdqv off to have all of them behind one vSMMU';

describe('a vSMMU with command queues takes 16 devices, and a 17th gets a further expander bus', () => {
  it.each<[string, Partial<Policy>, Parameters<typeof devicesPerBus>[2], number[]]>([
    ['if the policy has cmdqv', { cmdqv: 'on' }, { cmdqv: null }, [16, 1]],
    ["if the host's SMMU has them", {}, {}, [16, 1]],
    ['and not if the policy has none', { cmdqv: 'off' }, {}, [17]],
    ["and not if the host's SMMU has none", {}, { cmdqv: false }, [17]],
    ['and not if it is not known whether the host has them', {}, { cmdqv: null }, [17]],
    [
      'and not with a QEMU that has none',
      {},
      { options: { target: { ...UPSTREAM, qemu: qemuOfVersion('11.0') } } },
      [17],
    ],
    ['also below a mirrored switch', { mirrorSwitches: true }, {}, [16, 1]],
  ])('%s', (_title, policy, given, devices) => {
    expect(devicesPerBus(17, policy, given)).toEqual({ devices, notes: devices.length > 1 ? [OFF] : [] });
  });

  it('with as few expander buses as possible', () => {
    expect(devicesPerBus(16).devices).toEqual([16]);
    expect(devicesPerBus(33).devices).toEqual([16, 16, 1]);
  });

  it('and keeps the functions of a slot together', () => {
    const address = (n: number) =>
      `<address type='pci' bus='${1 + Math.floor(n / 3)}' slot='0' function='${n % 3}'${n % 3 === 0 ? " multifunction='on'" : ''}/>`;
    const ports = Array.from(
      { length: 6 },
      (_, n) => `<controller type='pci' index='${1 + n}' model='pcie-root-port'/>`,
    );
    const xml = domainXml(
      ports.join('\n') +
        bdfs(18)
          .map((bdf, n) => hostdev(bdf, '', address(n)))
          .join(''),
    );
    expect(devicesPerBus(18, {}, { xml }).devices).toEqual([15, 3]);
  });

  it('also if the other 16 were there before', () => {
    const host = hostWithCmdqv(17, true);
    const before = planned(domainOf(16), host, { busWindow: 0, sparePorts: 2 }).plan;
    const xml = rewrite(parseDomain(domainOf(16)), before).replace('</devices>', `${hostdev(bdfOf(16))}</devices>`);
    expect(devicesPerBus(17, {}, { xml })).toEqual({ devices: [16, 1], notes: [OFF] });
  });
});

describe('check reports a 17th device behind a vSMMU with command queues', () => {
  const rewritten = (count: number, cmdqv: 'on' | 'off' | 'auto', vsmmu: string) => {
    const xml = domainOf(count);
    const { plan } = planned(xml, hostWithCmdqv(count, false), { cmdqv: 'off', busWindow: 0 });
    const written = rewrite(parseDomain(xml), plan).replace(" cmdqv='off'", vsmmu);
    const found = check(parseDomain(written), hostWithCmdqv(count, cmdqv === 'auto' ? true : null));
    return found
      .filter(({ code }) => code === 'cmdqv-too-many-devices')
      .map(({ severity, message }) => `${severity}: ${message}`);
  };
  const words =
    'the vSMMU of PCI controller 18 has command queues (cmdqv), which take 16 devices, and 17 are behind it';

  it.each<[string, number, 'on' | 'off' | 'auto', string, string[]]>([
    ['as an error if they are on', 17, 'on', " cmdqv='on'", [`error: ${words}`]],
    ["as a warning if they are QEMU's choice and the host has them", 17, 'auto', '', [`warning: ${words}`]],
    ['and not if they are off', 17, 'auto', " cmdqv='off'", []],
    ['and does not report 16 devices', 16, 'on', " cmdqv='on'", []],
    ["and nothing if they are QEMU's choice and the host is not known", 17, 'on', '', []],
  ])('%s', (_title, count, cmdqv, vsmmu, expected) => {
    expect(rewritten(count, cmdqv, vsmmu)).toEqual(expected);
  });
});
