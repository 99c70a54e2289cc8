import type { Element } from './reader.js';

const PORTS = [
  'pcie-root',
  'pcie-root-port',
  'pcie-expander-bus',
  'pcie-switch-upstream-port',
  'pcie-switch-downstream-port',
];

const isHostDevice = ({ name, attributes }: Element): boolean =>
  name === 'hostdev' || (name === 'interface' && attributes.type === 'hostdev');

const aliasOf = ({ children }: Element): string | undefined =>
  children.find(({ name }) => name === 'alias')?.attributes.name;

/** Whether vsmmu may add, change or remove an element as it likes. */
function isVsmmus(element: Element, parent: Element): boolean {
  const { name, attributes, children } = element;
  if (parent.name === 'devices') {
    if (name === 'controller') return attributes.type === 'pci' && PORTS.includes(attributes.model ?? '');
    if (name === 'iommu') return attributes.model === 'smmuv3';
    // A member of a group that it completes.
    return (
      isHostDevice(element) &&
      !aliasOf(element)?.startsWith('ua-d') &&
      children.some((e) => e.attributes.type === 'unassigned')
    );
  }
  if (isHostDevice(parent)) return name === 'address' && attributes.type !== 'unassigned';
  if (name === 'qemu:device') return attributes.alias?.startsWith('ua-vsmmu-') ?? false;
  if (name === 'cell') return attributes.cpus === undefined && attributes.memory === '0';
  return name === 'distances' || name === 'vsmmu:placement' || (parent.name === 'domain' && name === 'iommufd');
}

/** Attributes that vsmmu may write. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = { driver: ['iommufd'], acpi: ['nodeset'] };

/** Elements that vsmmu may make for what it puts into them. */
const SHELLS = ['driver', 'acpi', 'numa', 'cpu', 'metadata', 'qemu:override'];

/**
 * What vsmmu has to leave as it is, as text: two documents that are alike in it differ only in what it may change.
 * @param createsCell whether the guest's one NUMA cell is vsmmu's
 * @param moving the aliases of emulated devices that may not stay where they are
 */
export function essence(element: Element, createsCell: boolean, moving: ReadonlySet<string>): string {
  const plain = (each: Element, parent: Element): unknown => {
    if (isVsmmus(each, parent) || (createsCell && each.name === 'numa')) return undefined;
    if (each.name === 'address' && moving.has(aliasOf(parent) ?? '')) return undefined;
    const hidden = isHostDevice(parent) ? (ATTRIBUTES[each.name] ?? []) : [];
    const attributes = Object.entries(each.attributes).filter(([name]) => !hidden.includes(name));
    const children = each.children.map((other) => plain(other, each)).filter((other) => other !== undefined);
    const text = each.text.trim();
    if (SHELLS.includes(each.name) && attributes.length + children.length === 0 && text === '') return undefined;
    return [each.name, attributes.sort(), text, children];
  };
  return JSON.stringify(plain(element, { name: '', namespace: '', attributes: {}, text: '', children: [] }), null, 1);
}
