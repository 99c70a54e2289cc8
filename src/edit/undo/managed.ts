import { isVsmmuAlias } from '../../domain/alias.js';
import { hostDeviceSource } from '../../domain/device.js';
import { readHugePages } from '../../domain/memory-backing.js';
import { parseNumber } from '../../domain/number.js';
import { QEMU_NAMESPACE, RESERVE_PROPERTY } from '../../domain/overrides.js';
import { spellingsOf, VSMMU_ATTRIBUTES } from '../../domain/vsmmu-attributes.js';
import type { XmlDocument, XmlElement } from '../../xml/document.js';
import type { XmlAttribute } from '../../xml/start-tag.js';
import { NAMESPACE } from './record.js';

/**
 * Finds a difference that an undo must not make (see "What may differ" in `README.md`). The record is untrusted input, so this
 * compares the documents before and after the undo, and ignores the record.
 * @returns the name of the first element that differs; undefined if there is none
 */
export function unmanagedDifference(before: XmlDocument, after: XmlDocument): string | undefined {
  const kept = new Set<string>();
  const is = unmanagedLines(after, (key) => !kept.add(key));
  const was = unmanagedLines(before, (key) => !kept.has(key));
  const at = was.findIndex(({ text }, i) => text !== is[i]?.text);
  if (at >= 0 || is.length > was.length) return (was[at] ?? is[was.length])?.name;
  const around = ({ text, root }: XmlDocument) => [text.slice(0, root.start), text.slice(root.end)].join('<>');
  return around(before) === around(after) ? undefined : before.root.name;
}

const SETS = new Map<string, ReadonlySet<string>>();

/** Returns the words of a constant as a set. */
function words(text: string): ReadonlySet<string> {
  const known = SETS.get(text) ?? new Set(text.split(' '));
  SETS.set(text, known);
  return known;
}

const PORTS = words('pcie-expander-bus pcie-root-port pcie-switch-upstream-port pcie-switch-downstream-port');
const CONTROLLER = words('type index model');
const ADDRESS = words('type domain bus slot function multifunction');
const IN_CONTROLLER = words('type domain bus slot function multifunction name busNr chassis port hotplug memReserve');
const DRIVER = new Set(['pciBus', ...VSMMU_ATTRIBUTES.flatMap(spellingsOf), 'pasid', 'name']);

/** Attributes that an undo may change, by the path of their element. `<interface>` counts as `<hostdev>`. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  iommufd: 'enabled',
  'devices/hostdev/driver': 'iommufd',
  'devices/hostdev/acpi': 'nodeset',
};

/** Attributes with values that an undo may remove but not add, by the path of their element. */
const REMOVABLE: Readonly<Record<string, string>> = { 'devices/hostdev/rom': 'bar=off', 'features/ras': 'state=on' };

/** Elements that have no meaning if they are empty. */
const VANISHING = words(
  'metadata cpu cpu/numa cpu/numa/cell/distances iommufd devices/hostdev/driver devices/hostdev/acpi ' +
    'devices/hostdev/rom features/ras memoryBacking qemu:override qemu:override/qemu:device qemu:override/qemu:device/qemu:frontend',
);

/** Other elements in which an undo may change something, besides devices. The root has the path ''. */
const CONTAINERS = new Set(['', 'features', 'devices', 'cpu/numa/cell']);

/** Returns whether an element has only these attributes and children. */
function has({ attributes, children }: XmlElement, names: ReadonlySet<string>, inside = ''): boolean {
  return attributes.every((a) => names.has(a.name)) && children.every((e) => words(inside).has(e.name));
}

/** Returns whether vsmmu may remove and restore an element of `<devices>`: a plain expander bus, port or SMMUv3. */
export function isRestorable(element: XmlElement): boolean {
  const { name, children } = element;
  const model = element.attribute('model') ?? '';
  if (name === 'controller' && element.attribute('type') === 'pci' && PORTS.has(model)) {
    const isPlain = has(element, CONTROLLER, 'model target alias address');
    return isPlain && children.every((e) => has(e, IN_CONTROLLER, e.name === 'target' ? 'node' : ''));
  }
  const isPlain = name === 'iommu' && model === 'smmuv3' && has(element, words('model'), 'driver alias');
  return isPlain && children.every((e) => has(e, DRIVER));
}

/** Returns whether an element of `<devices>` is an unassigned host device that vsmmu added as a member of an IOMMU group. */
export function isGroupMember(element: XmlElement): boolean {
  return (
    element.name === 'hostdev' &&
    isVsmmuAlias(element.child('alias')?.attribute('name')) &&
    element.child('address')?.attribute('type') === 'unassigned' &&
    has(element, words('mode type managed'), 'driver source alias address')
  );
}

/** Returns whether a `<cell>` has the form that vsmmu adds: without CPUs and memory, or the only cell with CPUs. */
export function isManagedCell(cell: XmlElement): boolean {
  if (!has(cell, words('id cpus memory unit'), 'distances')) return false;
  if (cell.attribute('cpus') === undefined) return parseNumber(cell.attribute('memory') ?? '0') === 0;
  const siblings = cell.parent?.children ?? [];
  return !siblings.some((e) => e !== cell && e.name === 'cell' && e.attribute('cpus') !== undefined);
}

/** Returns whether an element is a `pcie-root` with nothing but `<pcihole64>`. Every domain has a `pcie-root`. */
export function isBareRoot(element: XmlElement): boolean {
  return element.attribute('model') === 'pcie-root' && has(element, CONTROLLER, 'pcihole64');
}

/** An element that an undo must not change, or the start or end of one in which it may change something. */
interface Line {
  /** The name of the element. */
  readonly name: string;
  readonly text: string;
}

/**
 * Lists everything in a document that vsmmu does not manage.
 * @param isGone returns whether the document after the undo lacks an element; called for elements that
 * an undo may remove but not add
 */
function unmanagedLines({ root, text: source }: XmlDocument, isGone: (key: string) => boolean): readonly Line[] {
  const isManaged = (element: XmlElement, path: string): boolean => {
    const { parent } = element;
    switch (path.replace(/^devices\/[^/]+/, 'devices/*')) {
      case 'metadata/*':
        return element.namespace === NAMESPACE;
      case 'devices/*':
        return isRestorable(element) || (isGroupMember(element) && isGone(`hostdev ${sourceOf(element)}`));
      case 'devices/*/address':
        return element.attribute('type') === 'pci' && has(element, ADDRESS);
      case 'devices/*/pcihole64':
        return parent?.attribute('model') === 'pcie-root';
      case 'memoryBacking/hugepages':
        return readHugePages(element) !== 'several' && isGone('hugepages');
      case 'cpu/numa/cell':
        return isManagedCell(element) && isGone(`cell ${element.attribute('id')}`);
      case 'cpu/numa/cell/distances/sibling':
        return isGone(
          `sibling ${[parent?.parent?.attribute('id'), ...element.attributes.map((a) => a.value)].join(' ')}`,
        );
      case 'qemu:override/qemu:device/qemu:frontend/qemu:property':
        return isVsmmuAlias(parent?.parent?.attribute('alias')) && element.attribute('name') === RESERVE_PROPERTY;
      default:
        return false;
    }
  };

  const isRemovable = ({ parent }: XmlElement, path: string, { name, value }: XmlAttribute): boolean =>
    REMOVABLE[path] === `${name}=${value}` &&
    (path === 'features/ras' || (parent !== undefined && hostDeviceSource(parent) !== undefined)) &&
    isGone([path, parent && sourceOf(parent)].join(' '));

  const linesOf = (element: XmlElement, path: string): Line[] => {
    if (isManaged(element, path)) return [];
    const { name, children, start, end } = element;
    const isContainer = VANISHING.has(path) || CONTAINERS.has(path) || /^devices\/[^/]+$/.test(path);
    if (!isContainer) return [{ name, text: namespacesOf(element).join(' ') + source.slice(start, end) }];
    const inside = children.flatMap((child) =>
      linesOf(child, path === '' ? nameOf(child) : `${path}/${nameOf(child)}`),
    );
    const text = element.text.trim();
    const attributes = element.attributes.filter((attribute) =>
      path === ''
        ? !attribute.name.startsWith('xmlns:') || attribute.value !== QEMU_NAMESPACE
        : attribute.name !== ATTRIBUTES[path] && !isRemovable(element, path, attribute),
    );
    if (text === '' && inside.length === 0) {
      // Leave out an element that has no meaning without the parts that vsmmu manages.
      const others = attributes.filter((a) => path !== 'qemu:override/qemu:device' || a.name !== 'alias');
      if (path === 'devices/controller' ? isBareRoot(element) : VANISHING.has(path) && others.length === 0) return [];
    }
    const opening = JSON.stringify([name, element.namespace, text, ...attributes.map((a) => [a.name, a.value])]);
    return [{ name, text: opening }, ...inside, { name, text: '>' }];
  };
  return linesOf(root, '');
}

/** Returns the namespaces of an element and of everything in it: they change if a declaration around it does. */
function namespacesOf(element: XmlElement): readonly string[] {
  return [element.namespace, ...element.children.flatMap(namespacesOf)];
}

/** Returns the name of an element in a path; `*` if it is in another namespace than libvirt's and QEMU's. */
function nameOf({ name, localName, namespace }: XmlElement): string {
  if (namespace !== '') return namespace === QEMU_NAMESPACE ? `qemu:${localName}` : '*';
  return name === 'interface' ? 'hostdev' : name;
}

function sourceOf(element: XmlElement): string {
  return (element.child('source')?.child('address')?.attributes ?? []).map((a) => `${a.name}=${a.value}`).join(' ');
}
