import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { parseDomain } from '../../src/domain/domain.js';
import { type Target, UPSTREAM } from '../../src/domain/target.js';
import { at, domainWith, expander, hostdev, hostWith, port, rng, smmuName, vsmmu } from '../plan/example.js';

const DRIVER = "<driver iommufd='yes'/>";

/** The diagnostics of a check, as `line:column code`. */
const found = (...args: Parameters<typeof check>) =>
  check(...args).map(({ location, code }) => `${location?.line}:${location?.column} ${code}`);

describe('check', () => {
  it('finds nothing in a domain without a vSMMU', () => {
    const domain = domainWith(port(1), hostdev(1, at(1)));
    expect(check(domain, hostWith(1, { 1: { smmu: 0 } }))).toEqual([]);
  });

  it('finds nothing in a domain with each device behind the vSMMU of its SMMU', () => {
    const domain = domainWith(expander(1, 250), port(2, at(1)), hostdev(1, DRIVER + at(2)), vsmmu(1));
    expect(check(domain, hostWith(1, { 1: { smmu: 0 } }))).toEqual([]);
  });

  it('reports the location of each error, in document order', () => {
    const expanderBus = [expander(1, 250), port(2, at(1, 0)), port(3, at(1, 1)), vsmmu(1)];
    const [first, second] = [hostdev(1, at(2)), rng(at(3))];
    const domain = domainWith(...expanderBus, first, second);
    expect(found(domain, undefined)).toEqual(['9:5 device-without-iommufd', '10:25 emulated-behind-vsmmu']);
    const other = domainWith(...expanderBus, second, first);
    expect(found(other, undefined)).toEqual(['9:25 emulated-behind-vsmmu', '10:5 device-without-iommufd']);
    for (const each of [domain, other]) {
      const line = parseDomain(each.document.text.replaceAll(/\n\s*/g, ''));
      const codes = (of: typeof domain) => check(of, undefined).map(({ code }) => code);
      expect(codes(line)).toEqual(codes(each));
    }
  });

  it('warns of an argument for QEMU that conflicts with a vSMMU of the domain, and only if the domain has a vSMMU', () => {
    const iommu = (devices: string) =>
      parseDomain(
        `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>vm</name><os><type arch='aarch64' machine='virt'>hvm</type></os><features><acpi/></features><devices>${devices}</devices><qemu:commandline><qemu:arg value='-device'/><qemu:arg value='arm-smmuv3,primary-bus=pcie.0'/></qemu:commandline></domain>`,
      );
    const codes = (devices: string) =>
      check(iommu(devices), undefined).map(({ code, severity }) => `${severity} ${code}`);
    expect(codes(expander(1, 250) + vsmmu(1))).toContain('warning commandline-conflict');
    expect(codes('')).toEqual([]);
  });

  it('does not judge domains for other machines', () => {
    const domain = domainWith(port(1), port(2, at(0, 2), 1));
    expect(found(domain, undefined)).toEqual(['6:61 chassis-duplicate']);
    expect(found({ ...domain, arch: 'x86_64' }, undefined)).toEqual([]);
    expect(found({ ...domain, machine: 'sbsa-ref' }, undefined)).toEqual([]);
  });

  it('reports the one device whose SMMU differs from that of the two others on the expander bus', () => {
    const domain = domainWith(
      expander(1, 240),
      port(2, at(1, 0)),
      port(3, at(1, 1)),
      port(4, at(1, 2)),
      hostdev(1, DRIVER + at(2)),
      hostdev(2, DRIVER + at(3)),
      hostdev(3, DRIVER + at(4)),
      vsmmu(1),
    );
    const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 1 } });
    const [finding, ...more] = check(domain, host);
    expect(finding?.message).toBe(
      `0000:01:00.0 is behind ${smmuName(0)} on the host, and behind the vSMMU of PCI controller 1, which serves ${smmuName(1)}`,
    );
    expect(more).toEqual([]);
  });

  it('reports that pcie.0 has too few bus numbers, at the expander bus with the lowest busNr', () => {
    const of = (...devices: string[]) =>
      check(domainWith(...devices), undefined).map(({ message, location }) => `${location?.line}: ${message}`);
    // pcie.0 itself, and a root port. An expander bus has numbers of its own.
    expect(of(expander(1, 200), expander(2, 2), port(3))).toEqual([]);
    expect(of(expander(1, 200), expander(2, 1), port(3))).toEqual(['6: pcie.0 needs 2 bus numbers, but has only 1']);
    expect(of(expander(1, 1), port(2))).toEqual(['5: pcie.0 needs 2 bus numbers, but has only 1']);
    // libvirt adds a port for an index that is not used, and for a device without a port.
    expect(of(expander(1, 3), port(3))).toEqual([]);
    const added = '5: pcie.0 needs 3 bus numbers, including 1 for ports that libvirt will add, but has only 2';
    expect(of(expander(1, 2), port(3))).toEqual([added]);
    expect(of(expander(1, 2), port(2), rng())).toEqual([]);
    expect(of(expander(1, 2), port(2), rng(), rng())).toEqual([added]);
  });

  describe('of a domain for a QEMU with other machine types', () => {
    const domain = { ...domainWith(port(1), hostdev(1, at(1))), machine: 'virt-8.2' };
    const target: Target = { ...UPSTREAM, qemu: { ...UPSTREAM.qemu, machines: new Set(['virt', 'virt-11.1']) } };
    const codes = (given: typeof domain, options = { target }) =>
      check(given, undefined, options).map(({ code }) => code);

    it('reports that it will not start', () => expect(codes(domain)).toEqual(['target-machine-missing']));

    it('reports nothing if that QEMU has its machine type, or if the machine types are unknown', () => {
      expect(codes({ ...domain, machine: 'virt-11.1' })).toEqual([]);
      expect(codes(domain, { target: UPSTREAM })).toEqual([]);
    });

    it('reports nothing if the domain has its own <emulator>', () => {
      const own = domainWith('<emulator>/opt/qemu/bin/qemu-system-aarch64</emulator>', port(1), hostdev(1, at(1)));
      expect(codes({ ...own, machine: 'virt-8.2' })).toEqual([]);
    });
  });
});
