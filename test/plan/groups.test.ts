import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { type DeviceSpec, domainXml, hostdev, hostOf, planned, refusals } from './build.js';

const DEVICE = '0000:31:00.0';
const MATE = '0000:31:00.1';
const PORT = '0000:30:00.0';

/** A host whose device shares its group with another function and the port above both. */
function hostWithMate(driver: string | null): ReturnType<typeof hostOf> {
  const specs: DeviceSpec[] = [
    { bdf: PORT, group: 7, bridge: true, driver: 'pcieport' },
    { bdf: DEVICE, group: 7, parent: PORT },
    { bdf: MATE, group: 7, parent: PORT, driver },
  ];
  return hostOf(1, specs);
}

const codes = (found: readonly { readonly code: string }[]): string[] => found.map(({ code }) => code);

describe('a group with an endpoint that the domain does not have', () => {
  it.each(['vfio-pci', 'nvgrace_gpu_vfio_pci', 'mlx5_vfio_pci', 'hisi-acc-vfio-pci', 'pds_vfio_pci'])(
    'is accepted if its driver is %s, whatever the driver of the port above',
    (driver) => {
      const { diagnostics } = planned(domainXml(hostdev(DEVICE)), hostWithMate(driver));
      expect(codes(diagnostics)).not.toContain('group-not-viable');
    },
  );

  it.each(['igb', 'snd_hda_intel', 'pci-stub'])('gives a warning if its driver is %s', (driver) => {
    const { plan, diagnostics } = planned(domainXml(hostdev(DEVICE)), hostWithMate(driver));
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ code: 'group-not-viable', message: expect.stringContaining(`${MATE} (${driver})`) }),
    );
    expect(plan.groupMembers).toEqual([]);
  });
});

/** Elements of the device that vsmmu adds, except its source. */
const ADDED = "<alias name='ua-vsmmu-group-0000-31-00-1'/>\n      <address type='unassigned'/>";

describe('with completeGroups', () => {
  const policy = { completeGroups: true };

  it('the domain gets the endpoint, unassigned, if a host driver is bound to it', () => {
    const { plan, diagnostics } = planned(domainXml(hostdev(DEVICE)), hostWithMate('igb'), policy);
    expect(plan.groupMembers).toEqual([MATE]);
    expect(codes(diagnostics)).toContain('group-completed');
    expect(codes(diagnostics)).not.toContain('group-not-viable');
  });

  it('the endpoint comes after the last <hostdev>, and a second run changes nothing', () => {
    const domain = parseDomain(domainXml(`${hostdev(DEVICE)}    <memballoon model='none'/>\n`));
    const host = hostWithMate('igb');
    const text = rewrite(domain, planned(domain.document.text, host, policy).plan);
    expect(text).toContain(`    </hostdev>
${hostdev(MATE, '', ADDED)}    <memballoon model='none'/>
`);
    const again = planned(text, host, policy).plan;
    expect(again.changed).toBe(false);
    expect(rewrite(parseDomain(text), again)).toBe(text);
  });

  it('the endpoint comes before the elements that libvirt prints after hostdevs, if the domain has no <hostdev>', () => {
    const source = hostdev(DEVICE)
      .replaceAll('hostdev', 'interface')
      .replace(/<interface[^>]*>/, "<interface type='hostdev'>");
    const xml = domainXml(`${source.replace('<address ', "<address type='pci' ")}    <memballoon model='none'/>\n`);
    const text = rewrite(parseDomain(xml), planned(xml, hostWithMate('igb'), policy).plan);
    expect(text).toContain(`${hostdev(MATE, '', ADDED)}    <memballoon model='none'/>\n`);
  });

  it.each(['vfio-pci', null])('the domain does not get an endpoint that VFIO accepts as it is: driver %s', (driver) => {
    const { plan, diagnostics } = planned(domainXml(hostdev(DEVICE)), hostWithMate(driver), policy);
    expect(plan.changed).toBe(false);
    expect(codes(diagnostics)).toEqual(['group-shared']);
  });

  it('an unassigned endpoint that the domain has already is not added again', () => {
    const xml = domainXml(hostdev(DEVICE) + hostdev(MATE, '', "<address type='unassigned'/>"));
    expect(planned(xml, hostWithMate('igb'), policy).plan.groupMembers).toEqual([]);
  });
});

describe('a group that VFIO cannot assign', () => {
  const errors = (host: ReturnType<typeof hostOf>, policy = {}) =>
    refusals(domainXml(hostdev(DEVICE)), host, policy).map(({ code }) => code);

  it('is one with a reserved region of type direct, wherever the device would be placed', () => {
    const host = hostOf(1, [{ bdf: DEVICE, directRegions: ['0x81000000-0x81ffffff'] }]);
    expect(errors(host)).toEqual(['group-direct-region']);
    expect(errors(host, { bypass: [DEVICE] })).toEqual(['group-direct-region']);
  });

  it('is not an error for an unassigned device', () => {
    const host = hostOf(1, [{ bdf: DEVICE, directRegions: ['0x81000000-0x81ffffff'] }]);
    const xml = domainXml(hostdev(DEVICE, '', "<address type='unassigned'/>"));
    expect(refusals(xml, host)).toEqual([]);
  });
});

it('a PCI bridge as host device is refused', () => {
  const host = hostOf(1, [{ bdf: DEVICE, bridge: true }]);
  expect(refusals(domainXml(hostdev(DEVICE)), host).map(({ code }) => code)).toEqual(['device-bridge']);
});

it('a device that shares its group with a bridge stays on pcie.0, and the warning names the port without ACS', () => {
  const { plan, diagnostics } = planned(domainXml(hostdev(DEVICE)), hostWithMate(null));
  expect(plan.changed).toBe(false);
  expect(diagnostics.map(({ message, hint }) => `${message}; ${hint}`)).toEqual([
    expect.stringMatching(
      `^${DEVICE} stays on pcie.0: IOMMU group 7 also has the bridge ${PORT} and ${MATE}; ${PORT} has no ACS`,
    ),
  ]);
});
