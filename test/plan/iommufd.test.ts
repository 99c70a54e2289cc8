import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Policy } from '../../src/policy/policy.js';
import { domainXml, hostdev, hostOf, planned } from './build.js';

const DOMAIN: Partial<Policy> = { iommufd: 'domain' };
const [A, B, C] = ['0000:01:00.0', '0000:02:00.0', '0000:02:00.1'] as const;
/** A device alone in its group, and two devices that share a group and therefore stay on pcie.0. */
const host = hostOf(1, [
  { bdf: A, group: 1 },
  { bdf: B, group: 2 },
  { bdf: C, group: 2 },
]);

function run(xml: string, policy: Partial<Policy> = {}) {
  const { plan, diagnostics } = planned(xml, host, policy);
  const text = rewrite(parseDomain(xml), plan);
  expect(planned(text, host, policy).plan.changed, 'the second run changes nothing').toBe(false);
  const warnings = diagnostics.filter(({ code }) => code === 'iommufd-changed').map(({ message }) => message);
  return { text, warnings };
}

const drivers = (text: string): string[] => text.match(/<driver [^>]*iommufd[^>]*>/g) ?? [];

describe('iommufd', () => {
  it('is added to each placed device, and to no other device', () => {
    const { text } = run(domainXml([A, B, C].map((bdf) => hostdev(bdf)).join('')));
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>"]);
    expect(text).not.toContain('<iommufd');
  });

  it('is added to an existing <driver>', () => {
    const { text } = run(domainXml(hostdev(A, "<driver name='vfio' model='nvgrace_gpu_vfio_pci'/>")));
    expect(drivers(text)).toEqual(["<driver name='vfio' model='nvgrace_gpu_vfio_pci' iommufd='yes'/>"]);
  });

  it('is inherited if the domain has it for all devices', () => {
    const { text } = run(domainXml(hostdev(A), "  <iommufd enabled='yes' fdgroup='x'/>\n"));
    expect(drivers(text)).toEqual([]);
    expect(text).toContain("  <iommufd enabled='yes' fdgroup='x'/>\n");
  });

  it("is not inherited if the domain has 'no' for all devices", () => {
    const { text } = run(domainXml(hostdev(A), "  <iommufd enabled='no'/>\n"));
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>"]);
  });

  it("is switched on for a placed device with 'no', with a warning, whatever the default of the domain", () => {
    const { text, warnings } = run(domainXml(hostdev(A, "<driver iommufd='no'/>"), "  <iommufd enabled='yes'/>\n"));
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>"]);
    expect(warnings).toEqual([`${A} has iommufd='no', which becomes 'yes': an accelerated vSMMU needs it`]);
  });
});

describe('iommufd of devices that stay on pcie.0', () => {
  it('becomes the same for all devices of a group if only some have it', () => {
    const { text, warnings } = run(domainXml(hostdev(B, "<driver iommufd='yes'/>") + hostdev(C)));
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>", "<driver iommufd='yes'/>"]);
    expect(warnings).toEqual([]);
  });
});

describe('iommufd: "domain"', () => {
  it('adds one <iommufd>, before <os>, where libvirt prints it', () => {
    const { text, warnings } = run(domainXml([A, B, C].map((bdf) => hostdev(bdf)).join('')), DOMAIN);
    expect(drivers(text)).toEqual([]);
    expect(text).toContain("</memory>\n  <iommufd enabled='yes'/>\n  <os>");
    expect(warnings).toEqual([]);
  });

  it("changes an explicit 'no', of the domain and of a placed device, with warnings", () => {
    const xml = domainXml(hostdev(A, "<driver iommufd='no'/>"), "  <iommufd enabled='no'/>\n");
    const { text, warnings } = run(xml, DOMAIN);
    expect(text).toContain("<iommufd enabled='yes'/>");
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>"]);
    expect(warnings).toHaveLength(2);
  });

  it('leaves devices of one group on pcie.0 with one kind of backend', () => {
    const xml = domainXml(hostdev(A) + hostdev(B, "<driver iommufd='no'/>") + hostdev(C));
    const { text, warnings } = run(xml, DOMAIN);
    expect(drivers(text)).toEqual(["<driver iommufd='yes'/>"]);
    expect(warnings).toEqual([`${B} has iommufd='no', which becomes 'yes': a device of its IOMMU group has iommufd`]);
  });

  it("does not change a group on pcie.0 in which every device has 'no'", () => {
    const no = "<driver iommufd='no'/>";
    const { text } = run(domainXml(hostdev(A) + hostdev(B, no) + hostdev(C, no)), DOMAIN);
    expect(drivers(text)).toEqual([no, no]);
  });

  it('changes nothing in a domain without a device to place', () => {
    const { text } = run(domainXml(hostdev(B) + hostdev(C)), DOMAIN);
    expect(text).not.toContain('iommufd');
  });
});
