import { type Bdf, bdfAttributes, guestAddressAttributes } from '../domain/address.js';
import { groupMemberAlias } from '../domain/alias.js';
import { CHILD_ORDER } from '../domain/child-order.js';
import { dialectValue, spellingOf, VSMMU_ATTRIBUTES, type VsmmuDialect } from '../domain/vsmmu-attributes.js';
import type { ExpanderBus, GuestAddress, Port } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import type { XmlEditor } from '../xml/editor.js';
import type { NewElement } from '../xml/print.js';

/** The elements that vsmmu adds, with children and attributes in the order in which libvirt 12.8 prints them. */

/** Returns an element to add. Attributes without a value are left out. */
export function newElement(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  children: readonly NewElement[] = [],
): NewElement {
  const given: [name: string, value: string][] = [];
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) given.push([key, String(value)]);
  return { name, attributes: given, children };
}

/** Returns an expander bus: `<controller type='pci' model='pcie-expander-bus'>`. */
export function expanderBus({ controllerIndex, busNr, node, alias, address }: ExpanderBus): NewElement {
  return pciController(controllerIndex, 'pcie-expander-bus', [
    newElement('target', { busNr }, node === null ? [] : [cellNode(node)]),
    ...aliasElements(alias),
    ...(address ? [addressElement(address)] : []),
  ]);
}

/** Returns the `<node>` in the `<target>` of an expander bus: its NUMA cell. */
export function cellNode(cell: string | number): NewElement {
  return { name: 'node', text: String(cell) };
}

/** Returns a port: `<controller type='pci' model='pcie-root-port'>`, or a port of a switch. */
export function pciePort({ controllerIndex, model, chassis, alias, address, multifunction }: Port): NewElement {
  // libvirt encodes slot and function in the port number.
  const port = `0x${((address.slot << 3) | address.function).toString(16)}`;
  return pciController(controllerIndex, model, [
    ...(chassis === null ? [] : [newElement('target', { chassis, port })]),
    ...aliasElements(alias),
    addressElement(address, multifunction),
  ]);
}

/** Where a device can be attached in a running guest. */
export interface Attachment {
  readonly bdf: Bdf;
  readonly address: GuestAddress;
  /** Whether its `<driver>` must request iommufd; false if the domain enables iommufd for all devices. */
  readonly iommufd: boolean;
}

/** Returns a host device to attach: `<hostdev>` for `virsh attach-device`. */
export function attachedDevice({ bdf, address, iommufd }: Attachment): NewElement {
  return hostdev(bdf, [addressElement(address)], iommufd ? [newElement('driver', { iommufd: 'yes' })] : []);
}

/**
 * Returns a member of a device's IOMMU group: `<hostdev>` with `<address type='unassigned'/>`. libvirt 6.0 and later reserve it
 * for the guest but do not give it to the guest.
 */
export function groupMember(bdf: Bdf): NewElement {
  return hostdev(bdf, [...aliasElements(groupMemberAlias(bdf)), newElement('address', { type: 'unassigned' })]);
}

/** Returns a vSMMU: `<iommu model='smmuv3'>`. */
export function vsmmu({ controllerIndex, vsmmu: values }: ExpanderBus, dialect: VsmmuDialect): NewElement {
  const given = VSMMU_ATTRIBUTES.map((name) => {
    const value = values[name];
    return [spellingOf(name, dialect), value === undefined ? undefined : dialectValue(name, value, dialect)];
  });
  const driver = newElement('driver', { pciBus: controllerIndex, ...Object.fromEntries(given) });
  return newElement('iommu', { model: 'smmuv3' }, [driver]);
}

/**
 * Returns a `<hostdev>` for a PCI device that libvirt binds to vfio-pci, with the given children
 * after and before its `<source>`.
 */
function hostdev(bdf: Bdf, after: readonly NewElement[], before: readonly NewElement[] = []): NewElement {
  const source = newElement('source', {}, [{ name: 'address', attributes: bdfAttributes(bdf) }]);
  return newElement('hostdev', { mode: 'subsystem', type: 'pci', managed: 'yes' }, [...before, source, ...after]);
}

/** QEMU's device for each controller model, as libvirt 12.8 chooses it if the domain names none. */
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

/**
 * Adds a child where libvirt prints it: after `after`, which defaults to the last child of the same name. If there is none,
 * adds it before the first child that libvirt prints later.
 */
export function insert(
  editor: XmlEditor,
  parent: XmlElement | undefined,
  child: NewElement,
  after = parent?.children.findLast((e) => e.name === child.name),
): void {
  const order = parent ? (CHILD_ORDER[parent.name] ?? []) : [];
  const later = order.slice(order.indexOf(child.name) + 1);
  const next = parent?.children.find((e) => later.includes(e.name));
  if (after) editor.insertAfter(after, child);
  else if (next) editor.insertBefore(next, child);
  else if (parent) editor.append(parent, child);
}

/** Removes an element. If its parent is then empty, the parent becomes `<name/>`. */
export function removeElement(editor: XmlEditor, element: XmlElement): void {
  editor.remove(element);
  if (element.parent) editor.whenEmpty(element.parent, 'close');
}
