import { isOurAlias } from '../../domain/alias.js';
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
  if (at >= 0) return was[at]?.element.name;
  if (is.length > was.length) return is[was.length]?.element.name;
  const around = ({ text, root }: XmlDocument) => [text.slice(0, root.start), text.slice(root.end)].join('<>');
  return around(before) === around(after) ? undefined : before.root.name;
}

const PORTS = 'pcie-expander-bus pcie-root-port pcie-switch-upstream-port pcie-switch-downstream-port'.split(' ');

/** Attributes that an undo may change, by the path of their element. `<interface>` counts as `<hostdev>`. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  iommufd: 'enabled',
  'devices/hostdev/driver': 'iommufd',
  'devices/hostdev/acpi': 'nodeset',
};

/** Elements that have no meaning if they are empty. */
const VANISHING = new Set([
  ...['metadata', 'cpu', 'cpu/numa', 'cpu/numa/cell/distances', 'iommufd', 'devices/hostdev/driver'],
  ...['devices/hostdev/acpi', 'qemu:override', 'qemu:override/qemu:device', 'qemu:override/qemu:device/qemu:frontend'],
]);

/** Returns whether vsmmu may remove and restore an element of `<devices>`: a plain expander bus, port or SMMUv3. */
export function isRestorable(element: XmlElement): boolean {
  if (element.name === 'controller') {
    return (
      element.attribute('type') === 'pci' &&
      PORTS.includes(element.attribute('model') ?? '') &&
      has(element, ['type', 'index', 'model'], ['model', 'target', 'alias', 'address']) &&
      element.children.every((e) =>
        has(
          e,
          [...ADDRESS, 'name', 'busNr', 'chassis', 'port', 'hotplug', 'memReserve'],
          e.name === 'target' ? ['node'] : [],
        ),
      )
    );
  }
  const driver = ['pciBus', ...VSMMU_ATTRIBUTES.flatMap(spellingsOf), 'name'];
  return (
    element.name === 'iommu' &&
    element.attribute('model') === 'smmuv3' &&
    has(element, ['model'], ['driver', 'alias']) &&
    element.children.every((e) => has(e, driver, []))
  );
}

/** Returns whether an element of `<devices>` is an unassigned host device that vsmmu added as a member of an IOMMU group. */
export function isGroupMember(element: XmlElement): boolean {
  return (
    element.name === 'hostdev' &&
    isOurAlias(element.child('alias')?.attribute('name')) &&
    element.child('address')?.attribute('type') === 'unassigned' &&
    has(element, ['mode', 'type', 'managed'], ['driver', 'source', 'alias', 'address'])
  );
}

/** Returns whether a `<cell>` has the form that vsmmu adds: without CPUs and memory, or the only cell with CPUs. */
export function isManagedCell(cell: XmlElement): boolean {
  if (!has(cell, ['id', 'cpus', 'memory', 'unit'], ['distances'])) return false;
  if (cell.attribute('cpus') === undefined) return parseNumber(cell.attribute('memory') ?? '0') === 0;
  const siblings = cell.parent?.children ?? [];
  return !siblings.some((e) => e !== cell && e.name === 'cell' && e.attribute('cpus') !== undefined);
}

/** Returns whether an element is a `pcie-root` with nothing but `<pcihole64>`. Every domain has a `pcie-root`. */
export function isBareRoot(element: XmlElement): boolean {
  return element.attribute('model') === 'pcie-root' && has(element, ['type', 'index', 'model'], ['pcihole64']);
}

const ADDRESS = ['type', 'domain', 'bus', 'slot', 'function', 'multifunction'];

function has({ attributes, children }: XmlElement, names: readonly string[], inside: readonly string[]): boolean {
  return attributes.every((a) => names.includes(a.name)) && children.every((e) => inside.includes(e.name));
}

/**
 * Lists everything in a document that vsmmu does not manage, one line for each start and end of an element.
 * @param isGone returns whether the document after the undo lacks an element; called for elements that
 * an undo may remove but not add
 */
function unmanagedLines(
  { root, text: source }: XmlDocument,
  isGone: (key: string) => boolean,
): { readonly element: XmlElement; text: string }[] {
  const lines: { readonly element: XmlElement; text: string }[] = [];
  const controllers = root.child('devices')?.childrenNamed('controller') ?? [];
  const ports = new Set(controllers.map((e) => e.child('alias')?.attribute('name')));

  const isManaged = (element: XmlElement, path: string): boolean => {
    const { parent } = element;
    switch (path.replace(/^devices\/[^/]+/, 'devices/*')) {
      case 'metadata/*':
        return element.namespace === NAMESPACE;
      case 'devices/*':
        return isRestorable(element) || (isGroupMember(element) && isGone(`hostdev ${sourceOf(element)}`));
      case 'devices/*/address':
        return element.attribute('type') === 'pci' && has(element, ADDRESS, []);
      case 'devices/*/pcihole64':
        return parent?.attribute('model') === 'pcie-root';
      case 'cpu/numa/cell':
        return isManagedCell(element) && isGone(`cell ${element.attribute('id')}`);
      case 'cpu/numa/cell/distances/sibling':
        return isGone(`sibling ${[parent?.parent?.attribute('id'), ...valuesOf(element)].join(' ')}`);
      case 'qemu:override/qemu:device/qemu:frontend/qemu:property': {
        const alias = parent?.parent?.attribute('alias');
        const isPort = isOurAlias(alias) || (alias?.startsWith('ua-') === true && ports.has(alias));
        return isPort && element.attribute('name') === RESERVE_PROPERTY;
      }
      default:
        return false;
    }
  };

  const walk = (element: XmlElement, path: string): void => {
    if (isManaged(element, path)) return;
    const line = { element, text: '' };
    const at = lines.push(line);
    const isMixed = element.text.trim() !== '';
    let [text, from] = ['', element.openEnd];
    for (const child of element.children) {
      text += source.slice(from, child.start);
      from = child.end;
      const before = lines.length;
      walk(child, path === '' ? nameOf(child) : `${path}/${nameOf(child)}`);
      if (!isMixed || lines.length === before) continue;
      lines.splice(before, 0, { element, text });
      text = '';
    }
    text += source.slice(from, element.closeStart);
    const attributes = element.attributes.filter((attribute) => !isManagedAttribute(element, path, attribute));
    if (!isMixed && at === lines.length && saysNothing(element, path, attributes)) {
      lines.pop();
      return;
    }
    line.text = JSON.stringify([element.name, element.namespace, ...attributes.map((a) => [a.name, a.value])]);
    lines.push({ element, text: isMixed ? `>${text}` : '>' });
  };
  walk(root, '');
  return lines;
}

function nameOf({ name, localName, namespace }: XmlElement): string {
  if (namespace !== '') return namespace === QEMU_NAMESPACE ? `qemu:${localName}` : '*';
  return name === 'interface' ? 'hostdev' : name;
}

function valuesOf({ attributes }: XmlElement): string[] {
  return attributes.map((a) => a.value);
}

function sourceOf(element: XmlElement): string {
  return (element.child('source')?.child('address')?.attributes ?? []).map((a) => `${a.name}=${a.value}`).join(' ');
}

/** Returns whether an empty element with these attributes has no meaning. */
function saysNothing(element: XmlElement, path: string, attributes: readonly XmlAttribute[]): boolean {
  if (path === 'devices/controller') return isBareRoot(element);
  const others = attributes.filter(({ name }) => path !== 'qemu:override/qemu:device' || name !== 'alias');
  return VANISHING.has(path) && others.length === 0;
}

function isManagedAttribute(element: XmlElement, path: string, { name, value }: XmlAttribute): boolean {
  if (path === '') return name.startsWith('xmlns:') && value === QEMU_NAMESPACE;
  return name === ATTRIBUTES[path] && element.children.length === 0;
}
