import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { assignIommus, hasVsmmuValues, smmusOfGuest } from '../../src/domain/iommu.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { domainWith, expander, port } from '../plan/example.js';

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

describe('the SMMU of each root bus', () => {
  const VIRTIO = `<iommu model='virtio'/>`;
  const assigned = (...iommus: string[]) => {
    const domain = domainWith(expander(1, 250), port(2), ...iommus);
    const { iommuOf, rootIommu, conflicts } = assignIommus(domain.iommus, new PciTree(domain));
    const lineOf = ({ location }: { readonly location: { readonly line: number } }) => location.line - 6;
    return {
      buses: [...iommuOf].map(([bus, iommu]) => `${bus}: ${lineOf(iommu)}`),
      root: rootIommu && lineOf(rootIommu),
      conflicts: conflicts.map(({ iommu, found }) => `${lineOf(iommu)}: ${found.message}`),
    };
  };

  it('is the first that names it', () => {
    expect(assigned(of(1), of(0))).toEqual({ buses: ['1: 1'], root: 2, conflicts: [] });
    expect(assigned(WHOLE, of(1))).toEqual({ buses: ['1: 2'], root: 1, conflicts: [] });
    expect(assigned(of(1), of(1))).toMatchObject({
      buses: ['1: 1'],
      conflicts: ['2: two SMMUs name the PCI controller 1'],
    });
    expect(assigned(of(0), WHOLE)).toMatchObject({ root: 1, conflicts: [expect.stringMatching(/^2: /)] });
  });

  it('does not exist for a bus that is not an expander bus', () => {
    expect(assigned(of(2), of(9))).toMatchObject({
      buses: [],
      conflicts: [
        expect.stringContaining('controller 2 is pcie-root-port'),
        expect.stringContaining('controller 9 is not'),
      ],
    });
  });

  it('conflicts with a virtio-iommu before it, and with any other model', () => {
    expect(assigned(of(1), VIRTIO).conflicts).toEqual([]);
    expect(assigned(VIRTIO).conflicts).toEqual([]);
    expect(assigned(VIRTIO, of(1)).conflicts).toEqual([expect.stringMatching(/^1: /)]);
    expect(assigned(`<iommu model='intel'/>`).conflicts).toHaveLength(1);
  });
});

it('an <iommu> has values if any attribute that vsmmu chooses is there', () => {
  const has = (driver: string) =>
    hasVsmmuValues(domainWith(expander(1, 250), WHOLE, `<iommu model='smmuv3'><driver pciBus='1'${driver}/></iommu>`));
  expect([has(''), has(" accel='on'"), has(" ats='on'"), has(" oas='48'")]).toEqual([false, false, true, true]);
});
