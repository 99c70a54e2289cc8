import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { readRecord } from '../../src/edit/undo/record.js';

/** A domain with this `<metadata>`. */
const domain = (metadata: string): string => `<domain type='kvm'>
  <name>vm</name>
  <metadata>${metadata}</metadata>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
  </devices>
</domain>
`;

const DIGESTS = 'digest="0123456789abcdef" former="fedcba9876543210"';
const record = (content: string, attributes = DIGESTS): string =>
  `<v:placement xmlns:v="urn:vsmmu:domain:1" ${attributes}>${content}</v:placement>`;

describe('the record in <metadata>', () => {
  it('is read with any prefix', () => {
    const content = [
      '<v:changed device="0000:01:00.0" address="03:00.0 to 0b:00.0" iommufd="none to yes"/>',
      '<v:added controllers="3-6" cells="2"/>',
      '<v:removed><iommu model="smmuv3"><driver pciBus="2"/></iommu></v:removed>',
      '<v:text edits="5-2+2" put="0x"/>',
    ].join('');
    expect(readRecord(parseDomain(domain(record(content)))).record).toEqual({
      digest: '0123456789abcdef',
      former: 'fedcba9876543210',
      changed: [{ device: '0000:01:00.0', address: '03:00.0 to 0b:00.0', iommufd: 'none to yes' }],
      added: { controllers: '3-6', cells: '2' },
      removed: [
        {
          name: 'iommu',
          attributes: [['model', 'smmuv3']],
          children: [{ name: 'driver', attributes: [['pciBus', '2']], children: [], text: '' }],
          text: '',
        },
      ],
      text: { edits: '5-2+2', put: '0x' },
    });
  });

  it('is undefined if there are only elements of other namespaces', () => {
    expect(readRecord(parseDomain(domain('<a:b xmlns:a="urn:a"/>')))).toEqual({
      elements: [],
      record: undefined,
      diagnostics: [],
    });
  });

  it.each([
    ['without a digest', record('', 'former="fedcba9876543210"')],
    ['with an invalid digest', record('', 'digest="x" former="fedcba9876543210"')],
    ['with an unknown element', record('<v:surprise/>')],
    ['with an unknown attribute', record('', `${DIGESTS} more="1"`)],
    ['if there are two', record('') + record('')],
    ['with two lists of additions', record('<v:added cells="1"/><v:added cells="2"/>')],
    ['with an invalid device', record('<v:changed device="../hostdev" iommufd="none to yes"/>')],
    ['with an invalid change', record('<v:changed device="0000:01:00.0" address="03:00.0"/>')],
    ['with an invalid address', record('<v:changed device="0000:01:00.0" address="3 to 0b:00.0"/>')],
    ['with a change that vsmmu never makes', record('<v:changed device="0000:01:00.0" source="/a to /b"/>')],
    ['with an invalid list', record('<v:added controllers="all"/>')],
    ['with two lists of edits', record('<v:text edits="1-1"/><v:text edits="2-1"/>')],
    ['with invalid edits', record('<v:text edits="all"/>')],
  ])('is rejected %s', (_title, metadata) => {
    const found = readRecord(parseDomain(domain(metadata)));
    expect(found.record).toBeUndefined();
    expect(found.diagnostics.map((d) => [d.code, d.location?.line])).toEqual([['metadata-invalid', 3]]);
  });
});
