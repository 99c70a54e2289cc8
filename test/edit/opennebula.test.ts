import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { convert } from '../../src/convert.js';
import { type Domain, parseDomain, readDomain } from '../../src/domain/domain.js';
import { libvirtOfVersion, NVIDIA_STACK, qemuOfVersion, type Target, UPSTREAM } from '../../src/domain/target.js';
import { revert } from '../../src/edit/undo/revert.js';
import type { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { REPOSITORY } from '../cli/run.js';

/** OpenNebula's own domains (samples/opennebula), with one expander bus and one vSMMU per device. */
const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const hostOf = (name: string): Host => readTopology(read(`samples/hosts/${name}.json`), name);
const NVIDIA: Target = { libvirt: libvirtOfVersion(NVIDIA_STACK.libvirt), qemu: qemuOfVersion(NVIDIA_STACK.qemu) };

/** The sample, its host, and the devices per SMMU. */
const SAMPLES = [
  ['one-1', 'gb200', [1]],
  ['one-2', 'gb200', [1, 1]],
  ['one-4', 'dense', [2, 2]],
  ['one-12', 'dense', [4, 4, 4]],
] as const;

const convertWith = (xml: string, host: Host, policy: Partial<Policy>, target = NVIDIA) =>
  convert(parseDomain(xml), host, { policy: { ...DEFAULT_POLICY, ...policy }, target });
const driversOf = (xml: string) =>
  [...xml.replace(/<metadata>[\s\S]*<\/metadata>/, '').matchAll(/<driver pciBus='\d+'([^>]*)\/>/g)].map(
    ([, rest]) => rest,
  );
const nodesOf = (domain: Domain) =>
  domain.controllers.filter(({ model }) => model === 'pcie-expander-bus').map(({ node }) => node);
const spliced = (xml: string, bdf: string) => {
  const [domain, bus] = bdf.split(/[:.]/);
  const hostdev = `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x${domain}' bus='0x${bus}' slot='0x00' function='0x0'/></source></hostdev>`;
  return xml.replace('</devices>', `${hostdev}</devices>`);
};

describe.each(SAMPLES)("OpenNebula's %s on %s", (name, hostName, devicesPerSmmu) => {
  const xml = read(`samples/opennebula/${name}.xml`);
  const host = hostOf(hostName);
  const devices = devicesPerSmmu.reduce((sum, n) => sum + n, 0);

  it('has no error, and stays as it is', () => {
    const errors = check(readDomain(xml), host, { target: NVIDIA }).filter(({ severity }) => severity === 'error');
    expect(errors).toEqual([]);
    expect(convertWith(xml, host, {}).xml).toBe(xml);
  });

  it('gets a vSMMU per SMMU from --relayout', () => {
    const { plan } = convertWith(xml, host, { relayout: true });
    const behind = (index: number) =>
      plan.devices.filter(({ to }) =>
        plan.expanderBuses[index]?.ports.some((port) => port.controllerIndex === to?.bus),
      );
    expect(plan.expanderBuses.map((_, i) => behind(i).length)).toEqual(devicesPerSmmu);
    expect(new Set(plan.expanderBuses.map(({ smmu }) => smmu)).size).toBe(devicesPerSmmu.length);
  });

  it('keeps the values of its vSMMUs, its NUMA cells and node sets', () => {
    const merged = convertWith(xml, host, { relayout: true }).after;
    const cmdqv = hostName === 'gb200' ? " cmdqv='on'" : '';
    const drivers = devicesPerSmmu.map(() => ` accel='on'${cmdqv} ats='on' ril='off' pasid='on' oas='48'`);
    expect(driversOf(merged.document.text)).toEqual(drivers);
    expect(new Set(nodesOf(merged))).toEqual(new Set(nodesOf(parseDomain(xml))));
    const nodesets = (domain: Domain) => domain.hostDevices.map(({ nodeset }) => nodeset);
    expect(nodesets(merged)).toEqual(nodesets(parseDomain(xml)));
  });

  it('is the same after a second run, and its former text after revert', () => {
    const merged = convertWith(xml, host, { relayout: true }).xml;
    expect(merged).not.toBe(xml);
    expect(convertWith(merged, host, { relayout: true }).xml).toBe(merged);
    expect(convertWith(merged, host, {}).xml).toBe(merged);
    expect(revert(parseDomain(merged)).xml).toBe(xml);
  });

  it('gets a note from check if devices share an SMMU', () => {
    const notes = check(readDomain(xml), host, { target: NVIDIA }).filter(({ code }) => code === 'smmu-split');
    expect(notes).toHaveLength(devices > devicesPerSmmu.length ? devicesPerSmmu.length : 0);
    const merged = convertWith(xml, host, { relayout: true }).after;
    // OpenNebula 7.2 cannot leave out the ROM of a GPU.
    const left = hostName === 'gb200' ? ['platform-setting-missing'] : [];
    expect(check(merged, host, { target: NVIDIA }).map(({ code }) => code)).toEqual(left);
  });
});

describe("the settings of OpenNebula's Grace guide are noted if they are missing:", () => {
  const xml = read('samples/opennebula/one-1.xml');
  const host = hostOf('gb200');
  const notes = (text: string) =>
    check(readDomain(text), host, { target: NVIDIA }).map(({ code, hint }) => [code, hint]);
  const rom = ['platform-setting-missing', "add <rom bar='off'/>, or give --rom-bar off"];
  const withRom = xml.replace("<driver iommufd='yes'/>", "<driver iommufd='yes'/><rom bar='off'/>");

  it.each([
    ['the ROM', xml, [rom]],
    ['nothing', withRom, []],
    ['nothing, if the ROM is off altogether', withRom.replace("bar='off'", "enabled='no'"), []],
    [
      'RAS',
      withRom.replace('<ras state="on"/>', ''),
      [['platform-setting-missing', "add <ras state='on'/> to <features>, or give --ras on"]],
    ],
    [
      'distances',
      withRom.replace(/<distances>[\s\S]*?<\/distances>/g, ''),
      [['platform-setting-missing', 'write <distances>; the platform guide uses 254']],
    ],
    [
      'huge pages',
      withRom.replace(/<hugepages>[\s\S]*<\/hugepages>/, ''),
      [['cmdqv-small-pages', 'add <hugepages/> to <memoryBacking>, or give --huge-pages on']],
    ],
    [
      'no huge pages without command queues',
      withRom.replace(/<hugepages>[\s\S]*<\/hugepages>/, '').replace("cmdqv='on'", "cmdqv='off'"),
      [],
    ],
  ])('%s', (_, text, found) => expect(notes(text)).toEqual(found));

  it('not for a device on another platform, or behind no vSMMU', () => {
    expect(
      check(readDomain(read('samples/opennebula/one-4.xml')), hostOf('dense'), { target: NVIDIA }).map(
        ({ code }) => code,
      ),
    ).toEqual(['smmu-split', 'smmu-split']);
    expect(
      notes(xml.replace(/<iommu[\s\S]*?<\/iommu>/, '')).filter(([code]) => code === 'platform-setting-missing'),
    ).toEqual([]);
  });
});

describe("OpenNebula's domain", () => {
  const xml = read('samples/opennebula/one-4.xml');
  const host = hostOf('dense');

  it('is extended without --relayout: a further device joins an expander bus of its SMMU', () => {
    const { plan, after } = convertWith(spliced(xml, '0008:06:00.0'), host, {});
    expect(plan.expanderBuses.map(({ kept, busNr, ports }) => [kept, busNr, ports.length])).toEqual([
      [true, 160, 2],
      [true, 168, 1],
      [true, 176, 1],
      [true, 184, 1],
    ]);
    expect(driversOf(after.document.text)).toHaveLength(4);
  });

  it('gets no note if vsmmu made a vSMMU per device, because the policy says so', () => {
    const single = convertWith(xml, host, { relayout: true, grouping: 'device' }).after;
    expect(single.iommus).toHaveLength(4);
    expect(check(single, host, { target: NVIDIA })).toEqual([]);
  });

  it('is converted for upstream libvirt with the number that pasid means', () => {
    const upstream = convertWith(xml, host, {}, UPSTREAM).xml;
    expect(driversOf(upstream)).toEqual(Array(4).fill(" accel='on' ats='on' oas='48' ril='off' ssidsize='16'"));
    expect(revert(parseDomain(upstream)).xml).toBe(xml);
  });

  it('leaves a value to QEMU if it differs between the vSMMUs of one SMMU', () => {
    const differs = xml.replace("oas='48' pasid='on'", "oas='44' pasid='on'");
    expect(driversOf(convertWith(differs, host, { relayout: true }).xml)).toEqual([
      " accel='on' ats='on' ril='off' pasid='on'",
      " accel='on' ats='on' ril='off' pasid='on' oas='48'",
    ]);
  });

  it('keeps the NUMA cell of its expander buses if the host does not show it', () => {
    const unbound = xml.replace(/\t<numatune>[\s\S]*?<\/numatune>\n/, '').replace(/\t*<vcpupin[^>]*>\n/g, '');
    const twoNodes = hostOf('gb200');
    const moved = unbound.replace("domain='0x0008' bus='0x03'", "domain='0x0006' bus='0x03'");
    const two = moved.replace(/<hostdev[\s\S]*<\/hostdev>/, (all) => all.slice(0, all.indexOf('</hostdev>') + 10));
    expect(convertWith(two, twoNodes, { relayout: true }).plan.expanderBuses.map(({ node }) => node)).toEqual([0]);
  });

  it.each([
    ['the number of a NUMA expander bus', "busNr='0x20'"],
    ['the same number as another', "busNr='0xa8'"],
  ])('is reported if a device has %s, and corrected by --relayout', (_, busNr) => {
    const colliding = xml.replace("busNr='0xa0'", busNr);
    const found = check(readDomain(colliding), host, { target: NVIDIA });
    expect(found.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toContain(
      'bus-window-too-small',
    );
    const { after } = convertWith(colliding, host, { relayout: true });
    expect(check(after, host, { target: NVIDIA })).toEqual([]);
  });
});
