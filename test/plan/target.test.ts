import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { libvirtOfVersion, qemuOfVersion, type Target, UPSTREAM } from '../../src/domain/target.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Policy } from '../../src/policy/policy.js';
import { domainXml, hostdev, hostOf, planned, refusals } from './build.js';

const BDF = '0000:01:00.0';
const host = hostOf(1, [{ bdf: BDF }]);
const xml = domainXml(hostdev(BDF));

const of = (libvirt: string, qemu: string): Target => ({
  libvirt: libvirtOfVersion(libvirt),
  qemu: qemuOfVersion(qemu),
});

/** A patched libvirt as KubeVirt pins it, with its own attribute name. */
const PATCHED: Target = {
  libvirt: { ...libvirtOfVersion('12.7'), name: 'a patched libvirt', dialect: 'camelCase' },
  qemu: UPSTREAM.qemu,
};

describe('a target that cannot accelerate is refused, with what to install', () => {
  it.each([
    ['12.6.9', '11.1.3', 'libvirt 12.6.9 does not support accel', 'install libvirt 12.7 or newer'],
    ['11.10', '11.1.3', 'libvirt 11.10 does not support accel', 'install libvirt 12.7 or newer'],
    ['9.100', '11.1.3', 'libvirt 9.100 does not support accel', 'install libvirt 12.7 or newer'],
    ['12.7', '10.2', 'QEMU 10.2 does not support an accelerated arm-smmuv3', 'install QEMU 11.0 or newer'],
  ])('libvirt %s with QEMU %s', (libvirt, qemu, message, hint) => {
    expect(refusals(xml, host, {}, { target: of(libvirt, qemu) })).toMatchObject([
      {
        code: 'target-without-acceleration',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      },
    ]);
  });

  it('also with domain-wide iommufd, if libvirt does not support that', () => {
    const target = { ...UPSTREAM, libvirt: { ...UPSTREAM.libvirt, domainIommufd: false } };
    expect(refusals(xml, host, { iommufd: 'domain' }, { target })).toMatchObject([
      { code: 'target-without-acceleration', hint: 'give --iommufd device' },
    ]);
  });

  it.each([
    ['12.7', '11.0'],
    ['12.10.0', '11.1.3'],
    ['13.0', '12.0'],
  ])('libvirt %s with QEMU %s is not refused', (libvirt, qemu) => {
    expect(refusals(xml, host, {}, { target: of(libvirt, qemu) })).toEqual([]);
  });

  it('a domain that needs no change is not refused', () => {
    const other = xml.replace('aarch64', 'x86_64');
    expect(refusals(other, host, {}, { target: of('1.0', '1.0') })).toEqual([]);
  });
});

describe('a value that the target does not support', () => {
  const target = of('12.7', '11.0');
  const grace = (policy: Partial<Policy>) => refusals(xml, host, policy, { target });

  it('is an error if the policy asks for it', () => {
    expect(grace({ cmdqv: 'on' })).toMatchObject([
      { code: 'target-value-unsupported', message: expect.stringContaining('QEMU 11.0 does not support cmdqv') },
    ]);
  });

  it('is not missing on an expander bus without a device', () => {
    const policy = { expanderBuses: 'all', ats: 'off', ril: 'on', ssidsize: 0, oas: 44 } as const;
    const two = hostOf(2, [{ bdf: BDF }]);
    expect(refusals(xml, two, policy, { target })).toEqual([]);
    expect(refusals(xml, two, policy)).toMatchObject([{ code: 'vsmmu-values-missing', hint: 'give --cmdqv' }]);
  });
});

describe('ssidsize gets the attribute name of the target, whatever name the domain has', () => {
  const policy = { ssidsize: 8 } as const;
  const write = (text: string, target: Target): string =>
    rewrite(parseDomain(text), planned(text, host, policy, { target }).plan);

  it('the name of upstream, in a new vSMMU and in one that a patched libvirt wrote', () => {
    const patched = write(xml, PATCHED);
    expect(patched).toContain("<driver pciBus='2' accel='on' ssidSize='8'/>");
    const upstream = write(patched, UPSTREAM);
    expect(upstream).toContain("<driver pciBus='2' accel='on' ssidsize='8'/>");
    expect(write(upstream, UPSTREAM)).toBe(upstream);
    expect(write(upstream, PATCHED)).toBe(patched);
  });

  it('once, if the domain has it under both names', () => {
    const both = write(xml, UPSTREAM).replace("ssidsize='8'", "ssidsize='8' ssidSize='4'");
    expect(write(both, UPSTREAM)).toBe(write(xml, UPSTREAM));
  });
});
