import { describe, expect, it } from 'vitest';
import { check } from '../src/check/check.js';
import { convert } from '../src/convert.js';
import { parseDomain } from '../src/domain/domain.js';
import { revert } from '../src/edit/undo/revert.js';
import { hostOf } from './plan/build.js';
import { at, expander, hostdev, port, rng, vsmmu } from './plan/example.js';

/** Domains with the elements that libvirt's tests of SMMUs, iommufd, Generic Initiators and pcihole64 have, in few words each. */
const NVME = '0000:01:00.0';
const GPU = '0000:02:00.0';
const HOST = hostOf(2, [{ bdf: NVME }, { bdf: GPU, smmu: 1 }], {
  cmdqv: true,
  ats: true,
  ril: true,
  ssidsize: 20,
  oas: 48,
});

const domain = (
  devices: readonly string[],
  { head = '', machine = "arch='aarch64' machine='virt'", root = '' } = {},
) => `<domain type='kvm'>
  <name>vm</name>
  <memory unit='KiB'>4194304</memory>
  <memoryBacking>
    <hugepages/>
  </memoryBacking>
  <vcpu>4</vcpu>
  ${head}
  <os>
    <type ${machine}>hvm</type>
  </os>
  <features>
    <acpi/>
    <gic version='3'/>
  </features>
  <devices>
    <controller type='pci' index='0' model='pcie-root'>${root}</controller>
    ${devices.join('\n    ')}
  </devices>
</domain>
`;
const IOMMUFD = "<driver iommufd='yes'/>";
const given = (bus: number, address: string, inside = IOMMUFD) => hostdev(bus, `${inside}${address}`);
const CELLS = `<cpu><numa><cell id='0' cpus='0-3' memory='4194304'/>${[1, 2].map((id) => `<cell id='${id}' memory='0'/>`).join('')}</numa></cpu>`;

describe('a domain with the elements of a test of libvirt has no error, and is converted, or left unchanged:', () => {
  it.each<[string, string, boolean, number]>([
    [
      'SMMUs of two buses that QEMU emulates',
      domain([
        expander(1, 200),
        expander(2, 220),
        port(3, at(1)),
        port(4, at(2)),
        rng(at(3)),
        vsmmu(1, ''),
        vsmmu(2, ''),
      ]),
      false,
      0,
    ],
    ['an SMMU of the machine', domain([port(1), rng(at(1)), "<iommu model='smmuv3'/>"]), false, 0],
    ['an SMMU of pcie.0', domain([port(1), rng(at(1)), vsmmu(0, '')]), false, 0],
    [
      'accelerated SMMUs with all values',
      domain([
        expander(1, 200),
        expander(2, 220),
        port(3, at(1)),
        port(4, at(2)),
        port(5),
        given(1, at(3)),
        given(2, at(4)),
        vsmmu(1, "accel='on' ats='on' ril='off' ssidsize='16' oas='44'"),
        vsmmu(2),
      ]),
      false,
      2,
    ],
    [
      'an accelerated SMMU with command queues',
      domain([expander(1, 200), port(2, at(1)), port(3), given(1, at(2)), vsmmu(1, "accel='on' cmdqv='on'")]),
      false,
      1,
    ],
    ['iommufd on q35', domain([port(1), given(1, at(1))], { machine: "arch='x86_64' machine='q35'" }), false, 0],
    [
      'iommufd on virt',
      domain([port(1), port(2), given(1, at(1)), hostdev(2, `<driver iommufd='no'/>${at(2)}`)]),
      true,
      2,
    ],
    [
      'iommufd for all devices, with file descriptors',
      domain([port(1), hostdev(1, at(1))], { head: "<iommufd enabled='yes' fdgroup='iommu'/>" }),
      true,
      1,
    ],
    ['Generic Initiators', domain([port(1), given(1, `<acpi nodeset='1-2'/>${at(1)}`)], { head: CELLS }), true, 1],
    [
      'pcihole64',
      domain([port(1), given(1, at(1))], { root: "<pcihole64 unit='KiB'>1073741824</pcihole64>" }),
      true,
      1,
    ],
  ])('%s', (_title, xml, changes, accelerated) => {
    const errors = check(parseDomain(xml), HOST).filter(({ severity }) => severity === 'error');
    expect(errors).toEqual([]);
    const first = convert(parseDomain(xml), HOST);
    expect(first.changed).toBe(changes);
    const { iommus } = first.after;
    expect(iommus.filter(({ values }) => values.accel === 'on')).toHaveLength(accelerated);
    expect(convert(first.after, HOST).xml).toBe(first.xml);
    expect(changes ? revert(parseDomain(first.xml)).xml : first.xml).toBe(xml);
    const left = check(first.after, HOST).filter(({ severity }) => severity === 'error');
    expect(left).toEqual([]);
  });
});
