import { describe, expect, it } from 'vitest';
import { convert } from '../../src/convert.js';
import { parseDomain } from '../../src/domain/domain.js';
import { libvirtOfVersion, NVIDIA_STACK, qemuOfVersion, type Target, UPSTREAM } from '../../src/domain/target.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { revert } from '../../src/edit/undo/revert.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
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

/** NVIDIA's packages for Ubuntu 24.04 on Grace. */
const NVIDIA: Target = of(NVIDIA_STACK.libvirt, NVIDIA_STACK.qemu);

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

  it('is not required on an expander bus without a device', () => {
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

  it('only one, if the domain has both', () => {
    const both = write(xml, UPSTREAM).replace("ssidsize='8'", "ssidsize='8' ssidSize='4'");
    expect(write(both, UPSTREAM)).toBe(write(xml, UPSTREAM));
  });
});

describe("NVIDIA's libvirt 11.9 has a switch, pasid, for ssidsize", () => {
  const write = (text: string, target: Target, policy: Partial<Policy> = {}): string =>
    rewrite(parseDomain(text), planned(text, host, policy, { target }).plan);
  const driverOf = (text: string) => /<driver pciBus[^>]*>/.exec(text)?.[0];

  it.each([
    [20, "<driver pciBus='2' accel='on' pasid='on'/>"],
    [16, "<driver pciBus='2' accel='on' pasid='on'/>"],
    [0, "<driver pciBus='2' accel='on' pasid='off'/>"],
  ])('ssidsize %i becomes %s', (ssidsize, driver) => {
    const written = write(xml, NVIDIA, { ssidsize });
    expect(driverOf(written)).toBe(driver);
    expect(write(written, NVIDIA, { ssidsize })).toBe(written);
  });

  it.each([
    ['on', '16'],
    ['off', '0'],
  ])("pasid='%s' becomes ssidsize='%s' for upstream, the value that the guest had", (pasid, ssidsize) => {
    const nvidia = write(xml, NVIDIA, { ssidsize: pasid === 'on' ? 20 : 0 });
    const upstream = write(nvidia, UPSTREAM);
    expect(driverOf(upstream)).toBe(`<driver pciBus='2' accel='on' ssidsize='${ssidsize}'/>`);
    expect(write(upstream, NVIDIA)).toBe(nvidia);
    const other = write(nvidia, PATCHED);
    expect(driverOf(other)).toBe(`<driver pciBus='2' accel='on' ssidSize='${ssidsize}'/>`);
    expect(write(other, NVIDIA)).toBe(nvidia);
  });

  it('the former text is restored by revert, whatever the dialect', () => {
    const settings = (target: Target) => ({ policy: { ...DEFAULT_POLICY, ssidsize: 20 }, target });
    const nvidia = convert(parseDomain(xml), host, settings(NVIDIA)).xml;
    expect(driverOf(nvidia)).toBe("<driver pciBus='2' accel='on' pasid='on'/>");
    const upstream = convert(parseDomain(nvidia), host, settings(UPSTREAM)).xml;
    expect(driverOf(upstream)).toBe("<driver pciBus='2' accel='on' ssidsize='20'/>");
    expect(revert(parseDomain(upstream)).xml).toBe(xml);
    // A hand-made vSMMU gets its own spelling back.
    const [, own = ''] = /(<devices>[\s\S]*<\/devices>)/.exec(nvidia) ?? [];
    const handMade = xml.replace(/<devices>[\s\S]*<\/devices>/, own.replaceAll(/ *<alias name='ua-vsmmu[^>]*>\n/g, ''));
    const converted = convert(parseDomain(handMade), host, settings(UPSTREAM)).xml;
    expect(driverOf(converted)).toBe("<driver pciBus='2' accel='on' ssidsize='20'/>");
    expect(revert(parseDomain(converted)).xml).toBe(handMade);
  });

  it('warns if the policy wants another number', () => {
    expect(planned(xml, host, { ssidsize: 8 }, { target: NVIDIA }).diagnostics).toEqual(
      expect.arrayContaining([
        {
          code: 'target-value-unsupported',
          severity: 'warning',
          message: "libvirt 11.9.0+nvidia4 cannot express ssidsize='8': its pasid='on' gives the guest ssidsize='16'",
        },
      ]),
    );
  });

  it('the value is compared with the host', () => {
    const small = hostOf(1, [{ bdf: BDF }], { ssidsize: 8 });
    expect(refusals(xml, small, { ssidsize: 8 }, { target: NVIDIA })).toMatchObject([
      { code: 'vsmmu-value-beyond-host' },
    ]);
  });
});
