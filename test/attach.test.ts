import { describe, expect, it } from 'vitest';
import { planAttachment } from '../src/attach.js';
import { RefusedError } from '../src/diagnostics/errors.js';
import type { Bdf } from '../src/domain/address.js';
import { parseDomain } from '../src/domain/domain.js';
import type { Attachment } from '../src/edit/elements.js';
import { rewrite } from '../src/edit/rewrite.js';
import type { Bar } from '../src/generated/topology.js';
import type { Host } from '../src/host/host.js';
import { DEFAULT_POLICY, type Policy } from '../src/policy/policy.js';
import { bar64, type DeviceSpec, domainXml, hostdev, hostOf, planned, smmuName } from './plan/build.js';

const THERE = '0000:01:00.0';
const NEW = '0000:02:00.0';
const GIB = 2 ** 30;

const hostWith = (spec: Partial<DeviceSpec> = {}, ...more: readonly DeviceSpec[]): Host =>
  hostOf(2, [{ bdf: THERE, group: 1 }, { bdf: NEW, group: 2, ...spec }, ...more]);

const rootPort = `    <controller type='pci' index='1' model='pcie-root-port'><address type='pci' bus='0' slot='1'/></controller>\n`;

/** A running domain, which was rewritten with this policy. */
function running(policy: Partial<Policy>, devices = hostdev(THERE), host = hostWith()): string {
  const xml = domainXml(rootPort + devices);
  return rewrite(parseDomain(xml), planned(xml, host, policy).plan);
}

function attach(xml: string, host: Host, policy: Partial<Policy> = {}, bdf = NEW): Attachment | string {
  try {
    return planAttachment(parseDomain(xml), host, bdf as Bdf, { ...DEFAULT_POLICY, ...policy });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.diagnostics.map(({ message, hint }) => `${message}; ${hint}`).join('\n');
  }
}

const bar32 = (size: number): Bar => ({ index: 0, size, kind: 'memory', bits: 32, prefetchable: false });

describe('attach refuses', () => {
  it('a device whose group has a reserved region of type direct', () => {
    const host = hostWith({ directRegions: ['0x81000000-0x81ffffff'] });
    expect(attach(running({ sparePorts: 1 }), host)).toContain('reserved region of type direct, 0x81000000-0x81ffffff');
  });
});

describe('attach puts a device', () => {
  it('on the free port with the lowest index behind the vSMMU of its own SMMU', () => {
    const xml = running({ sparePorts: 2 });
    const [, spare] = [
      ...xml.matchAll(
        /index='(\d+)'[^>]*>\s*<model name='pcie-root-port'\/>\s*<target[^>]*>\s*<alias name='ua-vsmmu-port/g,
      ),
    ];
    expect(attach(xml, hostWith())).toEqual({
      bdf: NEW,
      address: { bus: Number(spare?.[1]), slot: 0, function: 0 },
      iommufd: true,
    });
  });

  it('without an iommufd attribute if the domain has iommufd for all host devices', () => {
    expect(attach(running({ sparePorts: 1, iommufd: 'domain' }), hostWith())).toMatchObject({ iommufd: false });
  });

  it('without 64-bit prefetchable BARs on any port that reserves memory, since firmware reserves 2 MiB of the other memory', () => {
    const host = hostWith({ bars: [bar32(2 ** 20), { ...bar32(2 ** 20), index: 1 }] });
    expect(attach(running({ sparePorts: 1 }), host)).toMatchObject({ bdf: NEW });
  });

  it('never on a port that reserves no memory: Linux would take memory from neighbouring devices', () => {
    const xml = running({ sparePorts: 1, spareMemory: 0 });
    expect(attach(xml, hostWith())).toMatch(
      /no free port reserves any; rewrite the domain with --spare-ports 1 --spare-memory 1M/,
    );
  });

  it('with large BARs on the port with the smallest sufficient reserve', () => {
    const xml = running({ sparePorts: 2, spareMemory: '256G' });
    const second = xml.replace("value='274877906944'", "value='68719476736'");
    const [first, other] = [xml, second].map((text) => attach(text, hostWith({ bars: [bar64(64 * GIB)] })));
    expect(first).toMatchObject({ bdf: NEW });
    expect(other).toEqual(first);
    const large = attach(second, hostWith({ bars: [bar64(100 * GIB)] }));
    expect(large).toMatchObject({ bdf: NEW });
    expect(large).not.toEqual(first);
  });
});

describe('attach refuses a device, with the reason and a remedy, if', () => {
  const spare = { sparePorts: 1 } as const;
  const port = { bdf: '0000:01:00.1', group: 2, bridge: true };

  it.each<[string, Host, Partial<Policy>, string]>([
    ['the host does not have it', hostOf(1, [{ bdf: THERE }]), spare, 'is not on this host'],
    ['it is a PCI bridge', hostWith({ bridge: true }), spare, 'it is a PCI bridge'],
    ['it is in no IOMMU group', hostWith({ group: null }), spare, 'is in no IOMMU group'],
    ['it is behind no SMMU', hostWith({ smmu: null }), spare, 'it is behind no SMMU; attach it without an address'],
    [
      'it shares its IOMMU group',
      hostWith({}, port),
      spare,
      'its IOMMU group 2 also has the bridge 0000:01:00.1; 0000:01:00.1 has no ACS',
    ],
    [
      'its SMMU has no expander bus',
      hostWith({ smmu: 1 }),
      spare,
      `the domain has no accelerated vSMMU for ${smmuName(1)}; rewrite the domain with --expander-buses all --spare-ports 1 --spare-memory 1M, with values for`,
    ],
    [
      'no port is free',
      hostWith(),
      {},
      `the expander bus of ${smmuName(0)} has no free port; rewrite the domain with --spare-ports 1 --spare-memory 1M and restart it`,
    ],
    [
      'no port reserves enough memory for its BAR',
      hostWith({ bars: [bar64(128 * GIB)] }),
      spare,
      'it needs 128G of 64-bit prefetchable memory, and no free port reserves more than 1M; rewrite the domain with --spare-ports 1 --spare-memory 128G',
    ],
    [
      'no port reserves enough memory for the rounded sum of its BARs',
      hostWith({ bars: [bar64(64 * GIB), { ...bar64(GIB), index: 2 }] }),
      { ...spare, spareMemory: '64G' },
      'it needs 128G of 64-bit prefetchable memory, and no free port reserves more than 64G',
    ],
    [
      'its memory that is not 64-bit prefetchable fits behind no port',
      hostWith({ bars: [bar32(2 ** 24)] }),
      spare,
      'add it to the domain before the guest starts',
    ],
  ])('%s', (_, host, policy, expected) => {
    expect(attach(running(policy), host)).toEqual(expect.stringContaining(expected));
  });

  it('the command queues of its vSMMU take no more devices', () => {
    const bdfs = Array.from({ length: 16 }, (_, n) => `0000:${(0x10 + n).toString(16)}:00.0`);
    const all = [...bdfs, NEW].map((bdf) => ({ bdf }));
    const host = hostOf(1, all, { cmdqv: true });
    const withQueues = running({ sparePorts: 1 }, bdfs.map((bdf) => hostdev(bdf)).join(''), host);
    expect(attach(withQueues, host)).toMatch(/has 16 devices, as many as its command queues take/);
    expect(attach(withQueues, hostOf(1, all, { cmdqv: false }))).toMatchObject({ bdf: NEW });
  });

  it('the domain already has it', () => {
    expect(attach(running(spare), hostWith(), {}, THERE)).toContain('the domain already has it');
  });

  it('the bypass list of the policy contains it', () => {
    expect(attach(running(spare), hostWith(), { bypass: [NEW as Bdf] })).toContain('on the bypass list of the policy');
  });

  it('the domain is for another architecture', () => {
    expect(attach(domainXml('').replace('aarch64', 'x86_64'), hostWith())).toContain('the domain is for x86_64');
  });
});
