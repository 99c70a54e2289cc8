import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { smmusOfGuest } from '../../src/domain/iommu.js';

/** Returns the buses of the SMMUs that a guest with these `<iommu>`s gets; `machine` is the whole machine. */
function smmus(iommus: string): string[] {
  const { iommus: all } = parseDomain(`<domain type='kvm'><name>vm</name><devices>${iommus}</devices></domain>`);
  return smmusOfGuest(all).map(({ pciBus }) => `${pciBus ?? 'machine'}`);
}

const of = (bus: number) => `<iommu model='smmuv3'><driver pciBus='${bus}'/></iommu>`;
const WHOLE = `<iommu model='smmuv3'/>`;

describe('the SMMUs of a guest', () => {
  it.each<[title: string, iommus: string, buses: string[]]>([
    ['are those of a bus, in the order of the document', of(2) + of(1), ['2', '1']],
    ['include that of the whole machine if it is the first <iommu>', WHOLE + of(1), ['machine', '1']],
    ['do not include one of the whole machine after another <iommu>', of(1) + WHOLE, ['1']],
    ['do not include a virtio-iommu, even if it is the first', `<iommu model='virtio'/>${of(1)}`, ['1']],
    ['do not include a virtio-iommu with a bus', `${of(1)}<iommu model='virtio'><driver pciBus='2'/></iommu>`, ['1']],
  ])('%s', (_, iommus, buses) => expect(smmus(iommus)).toEqual(buses));
});
