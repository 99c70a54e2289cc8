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

/** Whether vsmmu may add, change and remove an element. */
function isManaged(element: Element, parent: Element): boolean {
  const { name, attributes, children } = element;
  if (parent.name === 'devices') {
    if (name === 'controller') return attributes.type === 'pci' && PORTS.includes(attributes.model ?? '');
    if (name === 'iommu') return attributes.model === 'smmuv3';
    // A member of an IOMMU group that vsmmu completes.
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

/** Elements that vsmmu may add as containers. */
const CONTAINERS = ['driver', 'acpi', 'numa', 'cpu', 'metadata', 'qemu:override', 'features', 'memoryBacking'];

/** Whether an element is a setting that vsmmu adds only if a key of the policy asks for it. */
function isSetting({ name, attributes, children }: Element, parent: Element): boolean {
  if (children.some((page) => page.name !== 'page' || page.attributes.nodeset !== undefined)) return false;
  if (name === 'rom') return isHostDevice(parent) && attributes.bar === 'off' && Object.keys(attributes).length === 1;
  if (name === 'ras') return parent.name === 'features' && attributes.state === 'on';
  return name === 'hugepages' && parent.name === 'memoryBacking' && children.length <= 1;
}

/**
 * Returns the parts of a document that vsmmu must not change, as text.
 * @param setsSettings whether vsmmu may have added settings, or removed its own
 * @param createsCell whether vsmmu created the guest's only NUMA cell
 * @param moving the aliases of emulated devices that vsmmu must move
 */
export function unmanagedContent(
  element: Element,
  setsSettings: boolean,
  createsCell: boolean,
  moving: ReadonlySet<string>,
): string {
  const plain = (each: Element, parent: Element): unknown => {
    if (setsSettings && isSetting(each, parent)) return undefined;
    if (isManaged(each, parent) || (createsCell && each.name === 'numa')) return undefined;
    if (each.name === 'address' && moving.has(aliasOf(parent) ?? '')) return undefined;
    const hidden = isHostDevice(parent) ? (ATTRIBUTES[each.name] ?? []) : [];
    const attributes = Object.entries(each.attributes).filter(([name]) => !hidden.includes(name));
    const children = each.children.map((other) => plain(other, each)).filter((other) => other !== undefined);
    const text = each.text.trim();
    if (CONTAINERS.includes(each.name) && attributes.length + children.length === 0 && text === '') return undefined;
    return [each.name, attributes.sort(), text, children];
  };
  return JSON.stringify(plain(element, { name: '', namespace: '', attributes: {}, text: '', children: [] }), null, 1);
}
