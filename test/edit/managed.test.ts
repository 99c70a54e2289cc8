import { expect, it } from 'vitest';
import {
  isBareRoot,
  isGroupMember,
  isManagedCell,
  isRestorable,
  unmanagedDifference,
} from '../../src/edit/undo/managed.js';
import { parseXml } from '../../src/xml/document.js';

const QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";

/** A domain with a controller and a disk with aliases, and an override of one device. */
const override = (alias: string, property: string, bytes: number): string =>
  `<domain ${QEMU}><devices><controller><alias name='ua-port'/></controller><disk><alias name='ua-disk'/></disk></devices>` +
  `<qemu:override><qemu:device alias='${alias}'><qemu:frontend><qemu:property name='${property}' type='unsigned' value='${bytes}'/>` +
  '</qemu:frontend></qemu:device></qemu:override></domain>';

it.each([
  ['of a port that vsmmu added may be changed', 'ua-vsmmu-port-4', 'pref64-reserve', undefined],
  ['of a port with an alias from the user may not be changed', 'ua-port', 'pref64-reserve', 'qemu:property'],
  ['of another device may not be changed', 'ua-disk', 'pref64-reserve', 'qemu:property'],
  ['of a port with an alias from libvirt may not be changed', 'pci.4', 'pref64-reserve', 'qemu:property'],
  ['is the only property of a port that may be changed', 'ua-vsmmu-port-4', 'io-reserve', 'qemu:property'],
])('the memory reserve %s', (_title, alias, property, expected) => {
  const [before, after] = [1, 2].map((bytes) => parseXml(override(alias, property, bytes)));
  expect(before && after && unmanagedDifference(before, after)).toBe(expected);
});

it.each([
  ['neither CPUs nor memory', `<cell id='1'/>`, true],
  ['no CPUs and zero memory', `<cell id='1' memory='0' unit='KiB'/>`, true],
  ['no CPUs but memory', `<cell id='1' memory='4'/>`, false],
  ['CPUs beside another cell with CPUs', `<cell id='1' cpus='1'/>`, false],
  ['an attribute that vsmmu does not write', `<cell id='1' memAccess='shared'/>`, false],
])('a NUMA cell with %s can be one that vsmmu added: %s → %s', (_title, cell, expected) => {
  const [, second] = parseXml(`<numa><cell id='0' cpus='0'/>${cell}</numa>`).root.children;
  expect(second && isManagedCell(second)).toBe(expected);
});

const settings = (inside: string, device = '') =>
  `<domain><memoryBacking><locked/>${inside.includes('page') ? inside : ''}</memoryBacking>` +
  `<features><acpi/>${inside.includes('ras') ? inside : ''}</features><devices>${device}</devices></domain>`;
const HOST_DEVICE = "<hostdev type='pci'><source><address bus='1'/></source>ROM</hostdev>";
const NETWORK_CARD = "<interface type='user'>ROM</interface>";
const withRom = (device: string, rom: string) => settings('', device.replace('ROM', rom));

it.each([
  ['can remove bar of a ROM', withRom(HOST_DEVICE, "<rom bar='off'/>"), withRom(HOST_DEVICE, ''), undefined],
  [
    'can remove bar of a ROM with a file',
    withRom(HOST_DEVICE, "<rom bar='off' file='/a'/>"),
    withRom(HOST_DEVICE, "<rom file='/a'/>"),
    undefined,
  ],
  [
    'cannot remove the file of a ROM',
    withRom(HOST_DEVICE, "<rom bar='off' file='/a'/>"),
    withRom(HOST_DEVICE, "<rom bar='off'/>"),
    'rom',
  ],
  ["cannot remove bar='on' of a ROM", withRom(HOST_DEVICE, "<rom bar='on'/>"), withRom(HOST_DEVICE, ''), 'rom'],
  [
    'cannot remove the ROM of an emulated device',
    withRom(NETWORK_CARD, "<rom bar='off'/>"),
    withRom(NETWORK_CARD, ''),
    'rom',
  ],
  ['can remove RAS', settings("<ras state='on'/>"), settings(''), undefined],
  ['cannot remove RAS that is off', settings("<ras state='off'/>"), settings(''), 'ras'],
  ['can remove huge pages', settings('<hugepages/>'), settings(''), undefined],
  [
    'can remove huge pages of one size',
    settings("<hugepages><page size='2048' unit='KiB'/></hugepages>"),
    settings(''),
    undefined,
  ],
  [
    'cannot remove huge pages of one cell',
    settings("<hugepages><page size='2048' nodeset='0'/></hugepages>"),
    settings(''),
    'hugepages',
  ],
  ['cannot remove locked memory', settings(''), settings('').replace('<locked/>', ''), 'memoryBacking'],
])('an undo %s, and never add it', (_title, present, absent, expected) => {
  const [before, after] = [parseXml(present), parseXml(absent)];
  expect(unmanagedDifference(before, after)).toBe(expected);
  expect(unmanagedDifference(after, before)).toBeDefined();
  expect(unmanagedDifference(before, before)).toBeUndefined();
});

it('huge pages may not get another size', () => {
  const [before, after] = ['2048', '4096'].map((size) =>
    parseXml(settings(`<hugepages><page size='${size}'/></hugepages>`)),
  );
  expect(before && after && unmanagedDifference(before, after)).toBe('hugepages');
});

const port = (inside = '', model = 'pcie-root-port', more = '') =>
  `<controller type='pci' index='4' model='${model}'${more}><target chassis='4'/>${inside}<address type='pci' bus='0'/></controller>`;

it.each([
  ['a root port', port(), true],
  ['a port with an alias', port("<alias name='a'/>"), true],
  [
    'an expander bus on a NUMA node',
    "<controller type='pci' model='pcie-expander-bus'><target><node>0</node></target></controller>",
    true,
  ],
  ['a switch', port('', 'pcie-switch-upstream-port'), true],
  ['a port with another attribute', port('', 'pcie-root-port', " x='1'"), false],
  ['a port with another child', port('<acpi/>'), false],
  ['a port with an attribute that vsmmu does not know', port("<alias name='a' x='1'/>"), false],
  ['a port with a child in its alias', port("<alias name='a'><node/></alias>"), false],
  ['another PCI controller', port('', 'pcie-to-pci-bridge'), false],
  ['a controller that is not a PCI controller', port().replace("type='pci'", "type='usb'"), false],
  ['an SMMU', "<iommu model='smmuv3'><driver pciBus='1' accel='on'/><alias name='iommu0'/></iommu>", true],
  ['an SMMU with another attribute', "<iommu model='smmuv3' x='1'/>", false],
  ['an SMMU with an unknown value', "<iommu model='smmuv3'><driver caching='on'/></iommu>", false],
  ['another IOMMU', "<iommu model='virtio'/>", false],
  ['another device with a model', "<sound model='smmuv3'/>", false],
])('%s may be removed and put back: %s → %s', (_title, xml, expected) => {
  expect(isRestorable(parseXml(xml).root)).toBe(expected);
});

const member = (alias = 'ua-vsmmu-group-0', address = 'unassigned', more = '') =>
  `<hostdev mode='subsystem' type='pci' managed='yes'${more}><driver name='vfio'/><source/><alias name='${alias}'/><address type='${address}'/></hostdev>`;

it.each([
  ['as vsmmu adds it', member(), true],
  ['with an alias from the user', member('ua-mine'), false],
  ['with an address in the guest', member(undefined, 'pci'), false],
  ['with another attribute', member(undefined, undefined, " x='1'"), false],
  ['with another child', member().replace('<source/>', '<source/><rom/>'), false],
  ['as an interface', member().replaceAll('hostdev', 'interface'), false],
])('an unassigned host device %s can be one that vsmmu added: %s → %s', (_title, xml, expected) => {
  expect(isGroupMember(parseXml(xml).root)).toBe(expected);
});

it('a pcie-root with nothing but pcihole64 can be one that vsmmu added', () => {
  const root = (inside: string, model = 'pcie-root') =>
    isBareRoot(parseXml(`<controller type='pci' index='0' model='${model}'>${inside}</controller>`).root);
  expect([root(''), root('<pcihole64/>'), root('<alias/>'), root('', 'pcie-root-port')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it.each([
  ['an element before all others', '<domain><name/></domain>', '<domain><os/><name/></domain>', 'name'],
  ['an element after all others', '<domain><name/></domain>', '<domain><name/><os/></domain>', 'domain'],
  ['the first element', '<domain><name/><os/></domain>', '<domain><os/></domain>', 'name'],
  ['the root', '<domain/>', '<network/>', 'domain'],
  ['an attribute of the root', "<domain type='kvm'/>", "<domain type='qemu'/>", 'domain'],
  ['a comment before the root', '<!-- a --><domain/>', '<domain/>', 'domain'],
  ['a comment after the root', '<domain/><!-- a -->', '<domain/>', 'domain'],
  [
    'text of a device',
    '<domain><devices><rng>a</rng></devices></domain>',
    '<domain><devices><rng/></devices></domain>',
    'rng',
  ],
  ['nothing, if only a declaration of QEMU is gone', `<domain ${QEMU}/>`, '<domain/>', undefined],
  ['another declaration', "<domain xmlns:x='urn:x'/>", '<domain/>', 'domain'],
  [
    'nothing, if an empty element without attributes is gone',
    '<domain><cpu><numa/></cpu></domain>',
    '<domain/>',
    undefined,
  ],
  ['an empty element with an attribute', "<domain><cpu mode='host'/></domain>", '<domain/>', 'cpu'],
  [
    'nothing, if an override that has only the alias of a device is gone',
    `<domain ${QEMU}><qemu:override><qemu:device alias='a'/></qemu:override></domain>`,
    '<domain/>',
    undefined,
  ],
  [
    'an override with another attribute',
    `<domain ${QEMU}><qemu:override><qemu:device alias='a' x='1'/></qemu:override></domain>`,
    '<domain/>',
    'qemu:override',
  ],
])('an undo that changes this is found: %s', (_title, before, after, expected) => {
  expect(unmanagedDifference(parseXml(before), parseXml(after))).toBe(expected);
});
