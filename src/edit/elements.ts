import { type Bdf, bdfAttributes, guestAddressAttributes } from '../domain/address.js';
import { groupMemberAlias } from '../domain/alias.js';
import type { Domain } from '../domain/domain.js';
import { type SsidsizeSpelling, VSMMU_ATTRIBUTES } from '../domain/iommu.js';
import type { ExpanderBus, GuestAddress, Port } from '../generated/plan.js';
import type { Attachment } from '../plan/attach.js';
import type { XmlElement } from '../xml/document.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';

/** The elements that vsmmu adds, with children and attributes in the order in which libvirt 12.8 prints them. */

/** An element to add; attributes without a value are left out. */
export function newElement(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  children: readonly NewElement[] = [],
): NewElement {
  const given = Object.entries(attributes).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return { name, attributes: given, children };
}

/** An expander bus: `<controller type='pci' model='pcie-expander-bus'>`. */
export function expanderBus({ controllerIndex, busNr, node, alias, address }: ExpanderBus): NewElement {
  return pciController(controllerIndex, 'pcie-expander-bus', [
    newElement('target', { busNr }, node === null ? [] : [cellNode(node)]),
    ...aliasElements(alias),
    ...(address ? [addressElement(address)] : []),
  ]);
}

/** The NUMA cell of an expander bus, in its `<target>`. */
export function cellNode(cell: string | number): NewElement {
  return { name: 'node', text: String(cell) };
}

/** A port: `<controller type='pci' model='pcie-root-port'>`, or one of a switch. */
export function pciePort({ controllerIndex, model, chassis, alias, address, multifunction }: Port): NewElement {
  // What libvirt itself gives a port: its slot and function in one number.
  const port = `0x${((address.slot << 3) | address.function).toString(16)}`;
  return pciController(controllerIndex, model, [
    ...(chassis === null ? [] : [newElement('target', { chassis, port })]),
    ...aliasElements(alias),
    addressElement(address, multifunction),
  ]);
}

/** A host device to be plugged in: `<hostdev>` for `virsh attach-device`. */
export function attachedDevice({ bdf, address, iommufd }: Attachment): NewElement {
  return hostdev(bdf, [addressElement(address)], iommufd ? [newElement('driver', { iommufd: 'yes' })] : []);
}

/** A host device that is held for the guest and not given to it: `<hostdev>` with `<address type='unassigned'/>` (libvirt 6.0). */
export function companion(bdf: Bdf): NewElement {
  return hostdev(bdf, [...aliasElements(groupMemberAlias(bdf)), newElement('address', { type: 'unassigned' })]);
}

/** A vSMMU: `<iommu model='smmuv3'>`. */
export function vsmmu({ controllerIndex, vsmmu: values }: ExpanderBus, ssidsize: SsidsizeSpelling): NewElement {
  const given = VSMMU_ATTRIBUTES.map((name) => [name === 'ssidsize' ? ssidsize : name, values[name]]);
  const driver = newElement('driver', { pciBus: controllerIndex, ...Object.fromEntries(given) });
  return newElement('iommu', { model: 'smmuv3' }, [driver]);
}

/** A `<hostdev>` for a PCI device that libvirt binds to vfio itself, with these children after and before its source. */
function hostdev(bdf: Bdf, after: readonly NewElement[], before: readonly NewElement[] = []): NewElement {
  const source = newElement('source', {}, [{ name: 'address', attributes: bdfAttributes(bdf) }]);
  return newElement('hostdev', { mode: 'subsystem', type: 'pci', managed: 'yes' }, [...before, source, ...after]);
}

/** QEMU's device for each model of a controller that we know, which is what libvirt 12.8 takes where none is named. */
const DEVICES: Readonly<Record<Port['model'] | 'pcie-expander-bus', string>> = {
  'pcie-expander-bus': 'pxb-pcie',
  'pcie-root-port': 'pcie-root-port',
  'pcie-switch-upstream-port': 'x3130-upstream',
  'pcie-switch-downstream-port': 'xio3130-downstream',
};

function pciController(index: number, model: keyof typeof DEVICES, children: readonly NewElement[]): NewElement {
  return newElement('controller', { type: 'pci', index, model }, [
    newElement('model', { name: DEVICES[model] }),
    ...children,
  ]);
}

function aliasElements(name: string | null): NewElement[] {
  return name === null ? [] : [newElement('alias', { name })];
}

function addressElement(at: GuestAddress, multifunction = false): NewElement {
  return { name: 'address', attributes: guestAddressAttributes(at, multifunction) };
}

/** The children of `<devices>` that libvirt 12.8 prints after `<iommu>`. */
export const AFTER_IOMMUS: readonly string[] = ['vsock', 'crypto', 'pstore'];

/** Adds an element to `<devices>`: after one, else before another, else as the last. */
export function insertDevice(
  { devicesElement }: Domain,
  editor: XmlEditor,
  element: NewElement,
  after: XmlElement | undefined,
  before?: XmlElement,
): void {
  if (after) editor.insertAfter(after, element);
  else if (devicesElement) insertChild(editor, devicesElement, element, before);
}

/** Adds a child before another, else as the last. */
export function insertChild(editor: XmlEditor, parent: XmlElement, child: NewElement, before?: XmlElement): void {
  if (before) editor.insertBefore(before, child);
  else editor.append(parent, child);
}

/** The last child of `<devices>` with the first of these names that one has. */
export function lastOf({ devicesElement }: Domain, names: readonly string[]): XmlElement | undefined {
  const children = devicesElement?.children ?? [];
  return names.map((name) => children.findLast((e) => e.name === name)).find((e) => e !== undefined);
}

/** The first child of `<devices>` that has one of these names. */
export function firstOf({ devicesElement }: Domain, names: readonly string[]): XmlElement | undefined {
  return devicesElement?.children.find((e) => names.includes(e.name));
}

/** Takes out an element; the one that it was in becomes an empty one where nothing is left in it. */
export function take(editor: XmlEditor, element: XmlElement): void {
  editor.remove(element);
  if (element.parent) editor.whenEmpty(element.parent, 'close');
}
