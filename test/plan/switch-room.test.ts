import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Policy } from '../../src/policy/policy.js';
import { type DeviceSpec, domainXml, hostdev, hostOf, planned } from './build.js';

const bridge = (bdf: string, parent?: string): DeviceSpec => ({
  bdf,
  bridge: true,
  driver: 'pcieport',
  ...(parent !== undefined && { parent }),
});

/** Returns the address of the device behind port `n` of the host switch below root port `root`. */
const device = (n: number, root = 0): string => `000${root}:${(n + 3).toString(16).padStart(2, '0')}:00.0`;

/** A root port, a switch below it, and `count` devices behind its downstream ports. */
const hostSwitch = (count: number, root = 0): DeviceSpec[] => [
  bridge(`000${root}:00:00.0`),
  bridge(`000${root}:01:00.0`, `000${root}:00:00.0`),
  ...Array.from({ length: count }, (_, n) => {
    const port = `000${root}:02:${(n % 32).toString(16).padStart(2, '0')}.${n >> 5}`;
    return [bridge(port, `000${root}:01:00.0`), { bdf: device(n, root), parent: port, class: '0x030200' }];
  }).flat(),
];

const host = hostOf(1, [...hostSwitch(34), ...hostSwitch(4, 1)]);
const policy = { mirrorSwitches: true } as const;
const hostdevs = (numbers: readonly number[]): string => numbers.map((n) => hostdev(device(n))).join('');
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A domain that was rewritten with these devices, and then gets further ones. */
function joined(before: string, added: string, how: Partial<Policy> = policy): string {
  const xml = domainXml(before);
  return rewrite(parseDomain(xml), planned(xml, host, how).plan).replace('    <iommu', `${added}    <iommu`);
}

/** The model of the port that each device gets, without "pcie-", by host address. */
function modelsOf(xml: string, how: Partial<Policy> = policy): Record<string, string> {
  const { plan } = planned(xml, host, how);
  const ports = plan.expanderBuses.flatMap((each) => each.ports);
  return Object.fromEntries(ports.flatMap(({ model, devices }) => devices.map((bdf) => [bdf, model.slice(5)])));
}

const notes = (xml: string, how: Partial<Policy> = policy) =>
  planned(xml, host, how).diagnostics.filter(({ code }) => code === 'switch-not-mirrored');

/** Removes a device from a domain. Its port stays. */
const without = (xml: string, n: number): string => xml.replace(hostdevOf(xml, n), '');

function hostdevOf(xml: string, n: number): string {
  const bus = `bus='0x${(n + 3).toString(16).padStart(2, '0')}'`;
  return xml.match(/ *<hostdev[\s\S]*?<\/hostdev>\n/g)?.find((each) => each.includes(bus)) ?? 'no such device';
}

describe('a switch in the guest', () => {
  it('has room for 32 devices', () => {
    const models = Object.values(modelsOf(domainXml(hostdevs(upTo(32)))));
    expect(models).toEqual(Array(32).fill('switch-downstream-port'));
    expect(notes(domainXml(hostdevs(upTo(32))))).toEqual([]);
  });

  it('takes one device if one of its 32 ports is free; a second device gets a root port', () => {
    const once = without(joined(hostdevs(upTo(32)), '', { ...policy, busWindow: 64 }), 7);
    const one = once.replace('    <iommu', `${hostdevs([32])}    <iommu`);
    expect(modelsOf(one)[device(32)]).toBe('switch-downstream-port');
    const two = once.replace('    <iommu', `${hostdevs([32, 33])}    <iommu`);
    const models = modelsOf(two);
    expect([models[device(32)], models[device(33)]].toSorted()).toEqual(['root-port', 'switch-downstream-port']);
  });

  it.each([
    [6, 'switch-downstream-port'],
    [5, 'root-port'],
  ])(
    'is added for two devices that join, if there are bus numbers for all its ports: window of %i',
    (busWindow, model) => {
      const xml = joined(hostdev(device(0, 1)), hostdevs([0, 1]), { ...policy, busWindow });
      const models = modelsOf(xml);
      expect([models[device(0)], models[device(1)]]).toEqual([model, model]);
    },
  );

  it.each([
    [6, 'switch-downstream-port'],
    [5, 'root-port'],
  ])('takes a device that joins, if there is a bus number for its port: window of %i', (busWindow, model) => {
    const xml = joined(hostdevs([0, 1]), hostdevs([2]), { ...policy, busWindow });
    expect(modelsOf(xml)[device(2)]).toBe(model);
  });

  it('takes a device on a free port and another on a new one, if there is a bus number for the new one', () => {
    const once = joined(hostdevs([0, 1, 2]), hostdevs([3, 4]), { ...policy, busWindow: 8 });
    const models = modelsOf(without(once, 1), { ...policy, busWindow: 8 });
    expect([models[device(3)], models[device(4)]]).toEqual(Array(2).fill('switch-downstream-port'));
  });

  it('takes no device of another host switch, even if it has one already', () => {
    const once = joined(hostdevs([0, 1]), '', { ...policy, busWindow: 16 });
    const other = hostdevOf(once, 1).replace(/(<source>\s*<address domain='0x000)0(' bus='0x)04/, '$11$203');
    const mixed = once.replace(hostdevOf(once, 1), other);
    const models = modelsOf(mixed.replace('    <iommu', `${hostdevs([2])}${hostdev(device(1, 1))}    <iommu`));
    expect(models[device(0, 1)]).toBe('switch-downstream-port');
    expect([models[device(2)], models[device(1, 1)]]).toEqual(['root-port', 'root-port']);
  });
});

describe('devices that share a switch on the host and none in the guest', () => {
  it('are reported at the first of them; the hint names no limit if one switch has room for all', () => {
    const xml = domainXml(hostdevs(upTo(32)));
    const [note] = notes(xml, {});
    expect(note).toMatchObject({ location: { line: 12 } });
    expect(note?.hint).not.toContain('room for');
  });

  it('need --relayout if one of them is in place', () => {
    const how = { grouping: 'device' } as const;
    const [note] = notes(joined(hostdevs([0]), hostdevs([1]), how), how);
    expect(note?.hint).toContain('--relayout');
  });
});
