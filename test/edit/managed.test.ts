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
  ['of a port with an alias from the user may be changed', 'ua-port', 'pref64-reserve', undefined],
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
