import { expect, it } from 'vitest';
import { isManagedCell, unmanagedDifference } from '../../src/edit/undo/managed.js';
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
