import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { type DeviceSpec, domainXml, hostdev, hostOf, planned, tryPlan } from './build.js';

const expanderBus = (bdf: string, parent?: string): DeviceSpec => ({
  bdf,
  bridge: true,
  driver: 'pcieport',
  ...(parent !== undefined && { parent }),
});

/** A root port, a switch with three downstream ports below it and a device behind each; one device on a port of its own. */
const host = hostOf(1, [
  expanderBus('0000:00:00.0'),
  expanderBus('0000:01:00.0', '0000:00:00.0'),
  ...[0, 1, 2].flatMap((n) => [
    expanderBus(`0000:02:0${n}.0`, '0000:01:00.0'),
    { bdf: `0000:0${n + 3}:00.0`, parent: `0000:02:0${n}.0` },
  ]),
  expanderBus('0000:00:01.0'),
  { bdf: '0000:08:00.0', parent: '0000:00:01.0' },
]);
const policy = { mirrorSwitches: true } as const;
const all = ['0000:03:00.0', '0000:04:00.0', '0000:05:00.0', '0000:08:00.0'];
const xmlOf = (bdfs: readonly string[]): string => domainXml(bdfs.map((bdf) => hostdev(bdf)).join(''));

function portsOf(bdfs: readonly string[], how = {}) {
  const { plan } = planned(xmlOf(bdfs), host, { ...policy, ...how });
  const [only] = plan.expanderBuses;
  const ports = only?.ports.map((p) => [
    p.controllerIndex,
    p.model.slice(5),
    p.address.bus,
    p.address.slot,
    ...p.devices,
  ]);
  return { ports, busNumbers: only?.busNumbers };
}

describe('devices below one switch of the host', () => {
  it('get a switch on their expander bus, a downstream port each, and bus numbers for it; other devices get a root port', () => {
    expect(portsOf(all)).toEqual({
      ports: [
        [6, 'root-port', 5, 0, '0000:08:00.0'],
        [7, 'root-port', 5, 1],
        [8, 'switch-upstream-port', 7, 0],
        [9, 'switch-downstream-port', 8, 0, '0000:03:00.0'],
        [10, 'switch-downstream-port', 8, 1, '0000:04:00.0'],
        [11, 'switch-downstream-port', 8, 2, '0000:05:00.0'],
      ],
      busNumbers: 9,
    });
  });

  it('get root ports if the policy does not ask for a switch', () => {
    expect(portsOf(all, { mirrorSwitches: false }).ports?.map(([, model]) => model)).toEqual(
      Array(4).fill('root-port'),
    );
  });

  it('get no switch if there is only one', () => {
    expect(portsOf(['0000:03:00.0', '0000:08:00.0']).ports?.map(([, model]) => model)).toEqual([
      'root-port',
      'root-port',
    ]);
  });

  it('get an expander bus each, and no switch, with grouping "device"', () => {
    const { plan } = planned(xmlOf(all), host, { ...policy, grouping: 'device' });
    expect(plan.expanderBuses.flatMap(({ ports }) => ports.map(({ model }) => model))).toEqual(
      Array(4).fill('pcie-root-port'),
    );
  });

  it('stay on the switch in a second run, whatever other devices join; spare ports are root ports and reserve memory', () => {
    const how = { ...policy, sparePorts: 1, spareMemory: '1G', busWindow: 0 };
    const xml = xmlOf(all.slice(0, 2));
    const once = rewrite(parseDomain(xml), planned(xml, host, how).plan);
    expect(planned(once, host, how).plan.changed).toBe(false);
    expect(once.match(/pref64-reserve/g)).toHaveLength(1);
    const joined = once.replace('    <iommu', `${hostdev('0000:05:00.0')}    <iommu`);
    // The device gets the spare port, since the expander bus has no bus number left for a port of the switch.
    const { plan, diagnostics } = planned(joined, host, { ...policy, busWindow: 0 });
    const devices = plan.devices.filter(({ from, to }) => from && to).map(({ from, to }) => [from, to]);
    expect(devices).toHaveLength(2);
    for (const [from, to] of devices) expect(to).toEqual(from);
    expect(diagnostics.map((d) => [d.code, d.message])).toContainEqual([
      'switch-not-mirrored',
      '0000:03:00.0, 0000:04:00.0, 0000:05:00.0 are below the switch 0000:01:00.0 on the host, but not all below one switch in the guest',
    ]);
    const twice = rewrite(parseDomain(joined), plan);
    expect(planned(twice, host, policy).plan.changed).toBe(false);
  });

  it('are joined by a device that is added later, if the expander bus has a bus number for its port', () => {
    const how = { ...policy, busWindow: 8 };
    const xml = xmlOf(all.slice(0, 2));
    const once = rewrite(parseDomain(xml), planned(xml, host, how).plan);
    const joined = once.replace('    <iommu', `${hostdev('0000:05:00.0')}    <iommu`);
    const { plan, diagnostics } = planned(joined, host, how);
    expect(diagnostics.filter((d) => d.code === 'switch-not-mirrored')).toEqual([]);
    expect(plan.expanderBuses[0]?.ports.filter((p) => !p.kept)).toMatchObject([
      { model: 'pcie-switch-downstream-port', address: { bus: 5, slot: 2 }, devices: ['0000:05:00.0'] },
    ]);
    const twice = rewrite(parseDomain(joined), plan);
    expect(planned(twice, host, how).plan.changed).toBe(false);
  });

  it('use the downstream port of a device that left rather than a new port', () => {
    const xml = xmlOf(all.slice(0, 3));
    const once = rewrite(parseDomain(xml), planned(xml, host, policy).plan);
    const [gone = ''] = /<hostdev(?:(?!<\/hostdev>)[\s\S])*bus='0x04'[\s\S]*?<\/hostdev>/.exec(once) ?? [];
    const left = once.replace(gone, '');
    const { plan } = planned(
      left.replace('    <iommu', `    ${gone.replace(/<address type[^>]*>/, '')}\n    <iommu`),
      host,
      policy,
    );
    expect(plan.devices.find((d) => d.bdf === '0000:04:00.0')?.to?.bus).toBe(8);
  });

  it('do not move from root ports to a switch when another device is added: a note says that --relayout moves them', () => {
    const xml = xmlOf(all.slice(0, 1));
    const once = rewrite(parseDomain(xml), planned(xml, host, { ...policy, busWindow: 8 }).plan);
    const joined = once.replace('    <iommu', `${hostdev('0000:04:00.0')}    <iommu`);
    const { plan, diagnostics } = planned(joined, host, policy);
    expect(plan.devices[0]?.to).toEqual(plan.devices[0]?.from);
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ code: 'switch-not-mirrored', hint: expect.stringContaining('--relayout') }),
    );
  });

  it('stay on root ports, with a note, if there are more of them than a switch has slots', () => {
    const many = Array.from({ length: 33 }, (_, n) => n);
    const ports = many.map((n) => `0000:02:${(n % 32).toString(16).padStart(2, '0')}.${n >> 5}`);
    const devices = many.map((n) => `0000:${(n + 3).toString(16).padStart(2, '0')}:00.0`);
    const wide = hostOf(1, [
      expanderBus('0000:00:00.0'),
      expanderBus('0000:01:00.0', '0000:00:00.0'),
      ...many.flatMap((n) => [
        expanderBus(ports[n] ?? '', '0000:01:00.0'),
        { bdf: devices[n] ?? '', parent: ports[n] ?? '' },
      ]),
    ]);
    const findings = tryPlan(xmlOf(devices), wide, policy);
    const found = 'plan' in findings ? findings.diagnostics : findings;
    expect(found).toContainEqual(
      expect.objectContaining({ code: 'switch-not-mirrored', hint: 'a switch has room for 32 devices' }),
    );
  });

  it('get downstream ports in host order, whatever their order in the domain', () => {
    const below = (bdfs: readonly string[]) => portsOf(bdfs).ports?.flatMap(([, , , , bdf]) => bdf ?? []);
    const [first, second, third] = all;
    expect(below([third ?? '', first ?? '', second ?? ''])).toEqual([first, second, third]);
  });

  it('are written as libvirt prints them', () => {
    const xml = xmlOf(all.slice(0, 2));
    expect(rewrite(parseDomain(xml), planned(xml, host, policy).plan)).toContain(`
    <controller type='pci' index='5' model='pcie-switch-upstream-port'>
      <model name='x3130-upstream'/>
      <alias name='ua-vsmmu-switch-5'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </controller>
    <controller type='pci' index='6' model='pcie-switch-downstream-port'>
      <model name='xio3130-downstream'/>
      <target chassis='6' port='0x0'/>
      <alias name='ua-vsmmu-port-6'/>
      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
    </controller>`);
  });
});

describe('devices below one switch of the host that get separate ports', () => {
  const GPU = '0x030200';
  const mixed = (classes: readonly string[]) =>
    hostOf(1, [
      expanderBus('0000:00:00.0'),
      expanderBus('0000:01:00.0', '0000:00:00.0'),
      ...classes.flatMap((code, n) => [
        expanderBus(`0000:02:0${n}.0`, '0000:01:00.0'),
        { bdf: `0000:0${n + 3}:00.0`, parent: `0000:02:0${n}.0`, class: code },
      ]),
    ]);
  const found = (xml: string, on: ReturnType<typeof mixed>, how = {}) =>
    planned(xml, on, how)
      .diagnostics.filter(({ code }) => code === 'switch-not-mirrored')
      .map(({ severity, message, hint }) => `${severity}: ${message}; ${hint}`);
  const pair = xmlOf(all.slice(0, 2));
  const APART =
    '0000:03:00.0, 0000:04:00.0 are below the switch 0000:01:00.0 on the host, but not all below one switch in the guest';

  it('give a warning if one of them is a GPU or another accelerator, with the option that prevents it', () => {
    expect(found(pair, mixed([GPU, '0x020000']))).toEqual([
      `warning: ${APART}; --mirror-switches puts them below one switch`,
    ]);
    expect(found(pair, mixed(['0x120000', '0x010802']))).toHaveLength(1);
    expect(found(pair, mixed([GPU, '0x020000']), policy)).toEqual([]);
  });

  it('give no warning if none of them is a GPU, or if a GPU shares the switch only with a USB controller', () => {
    expect(found(pair, mixed(['0x020000', '0x010802']))).toEqual([]);
    expect(found(pair, mixed([GPU, '0x0c0330']))).toEqual([]);
    expect(found(xmlOf(all.slice(0, 1)), mixed([GPU, '0x020000']))).toEqual([]);
  });

  it('give a warning also on separate expander buses', () => {
    const grouping = { grouping: 'device' as const };
    expect(found(pair, mixed([GPU, GPU]), grouping)).toEqual([
      `warning: ${APART}; --grouping smmu --mirror-switches puts them below one switch`,
    ]);
    expect(found(pair, mixed([GPU, GPU]), { ...grouping, ...policy })).toEqual([
      `note: ${APART}; --grouping smmu puts them below one switch`,
    ]);
  });

  it('need --relayout if they are placed already', () => {
    const on = mixed([GPU, '0x020000']);
    const once = rewrite(parseDomain(pair), planned(pair, on).plan);
    expect(found(once, on)).toEqual([
      `warning: ${APART}; --mirror-switches --relayout puts them below one switch, and moves existing devices`,
    ]);
    const mirrored = rewrite(parseDomain(pair), planned(pair, on, policy).plan);
    expect(found(mirrored, on)).toEqual([]);
  });
});
