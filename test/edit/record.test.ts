import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { readRecord } from '../../src/edit/record.js';

/** A domain as `rewrite` leaves it, but for what its `<metadata>` says. */
const domain = (metadata: string): string => `<domain type='kvm'>
  <name>vm</name>
  <metadata>${metadata}</metadata>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-expander-bus'><alias name='ua-vsmmu-smmu-c000000-2'/></controller>
    <controller type='usb' index='0'/>
    <disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
    <hostdev mode='subsystem' type='pci'><source><address bus='1'/></source></hostdev>
    <iommu model='smmuv3'><driver pciBus='2' accel='on'/></iommu>
    <iommu model='smmuv3'><driver pciBus='1'/></iommu>
  </devices>
</domain>
`;

const NS = 'xmlns:v="urn:vsmmu:domain:1"';
const record = (content: string, attributes = 'digest="0123456789abcdef"'): string =>
  `<v:placement ${NS} ${attributes}>${content}</v:placement>`;

describe('the record in <metadata>', () => {
  it('is read whatever its prefix', () => {
    const { record: read } = readRecord(
      parseDomain(
        domain(record('<v:changed element="devices/hostdev[0000:01:00.0]" address.bus="3 to 0x0b" added="driver"/>')),
      ),
    );
    expect(read).toEqual({
      digest: '0123456789abcdef',
      changed: [
        {
          element: 'devices/hostdev[0000:01:00.0]',
          added: ['driver'],
          attributes: { 'address.bus': { was: '3', now: '0x0b' } },
        },
      ],
      removed: [],
      replaced: [],
    });
  });

  it('is none where there is none, and others are none of ours', () => {
    expect(readRecord(parseDomain(domain('<a:b xmlns:a="urn:a"/>')))).toEqual({
      elements: [],
      record: undefined,
      diagnostics: [],
    });
  });

  it('is believed of what is no more', () => {
    const gone = record('<v:changed element="devices" added="controller[9] iommu[9] hostdev[0000:09:00.0]"/>');
    expect(readRecord(parseDomain(domain(gone))).record).toBeDefined();
  });

  it.each([
    ['without a digest', record('', '')],
    ['with a digest that is none', record('', 'digest="x"')],
    ['with an element that is none of its', record('<v:surprise/>')],
    ['with an attribute that is none of its', record('', 'digest="0123456789abcdef" more="1"')],
    ['twice', record('') + record('')],
    ['with a path that is none', record('<v:changed element="../hostdev" added="driver"/>')],
    ['with a change that is none', record('<v:changed element="devices" address.bus="3"/>')],
    ['with a number that is none', record('<v:changed element="devices" address.bus="x to 0x01"/>')],
    ['with a value that ends its attribute', record('<v:changed element="devices" self.a="x&quot; b=&quot;y to z"/>')],
    ['that would change what is none of ours', record('<v:changed element="devices/disk" source.file="/b to /a"/>')],
    ['that claims a disk', record('<v:changed element="devices" added="disk"/>')],
    ['that claims a controller of others', record('<v:changed element="devices" added="controller[1]"/>')],
    ['that claims a host device of others', record('<v:changed element="devices" added="hostdev[0000:01:00.0]"/>')],
    ['that claims an SMMU of others', record('<v:changed element="devices" added="iommu[1]"/>')],
    ['that would put in a disk', record('<v:removed from="devices" text="&lt;disk/&gt;"/>')],
    ['that would put in what is no XML', record('<v:removed from="devices" text="&lt;iommu"/>')],
    ['that would put in two elements', record('<v:removed from="devices" text="&lt;iommu/&gt;&lt;disk/&gt;"/>')],
  ])('is not believed %s', (_title, metadata) => {
    const found = readRecord(parseDomain(domain(metadata)));
    expect(found.record).toBeUndefined();
    expect(found.diagnostics.map((d) => [d.code, d.place?.line])).toEqual([['metadata-invalid', 3]]);
  });
});
