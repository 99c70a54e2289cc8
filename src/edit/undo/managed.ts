import { isOurAlias } from '../../domain/alias.js';
import { parseNumber } from '../../domain/number.js';
import { QEMU_NAMESPACE, RESERVE_PROPERTY } from '../../domain/overrides.js';
import type { XmlDocument, XmlElement } from '../../xml/document.js';
import type { XmlAttribute } from '../../xml/start-tag.js';
import { NAMESPACE } from './record.js';

/**
 * Finds what differs between a domain before and after an undo, beyond what vsmmu manages: the guest addresses of PCI devices,
 * `iommufd`, PCI expander buses and ports, SMMUv3s, `<pcihole64>`, `<acpi nodeset>`, NUMA cells of Generic Initiators,
 * overrides of ports, and the record. The record is untrusted input, so this compares the documents, whatever it says.
 * Unassigned host devices, cells and distances may be gone, never new.
 * @returns the name of the first element that differs; undefined where none does
 */
export function unmanagedDifference(before: XmlDocument, after: XmlDocument): string | undefined {
  const kept = new Set<string>();
  const [is, was] = [new Walker(after, kept, true), new Walker(before, kept, false)];
  is.walk(after.root, '');
  was.walk(before.root, '');
  const at = was.lines.findIndex(({ text }, i) => text !== is.lines[i]?.text);
  if (at >= 0) return was.lines[at]?.element.name;
  if (is.lines.length > was.lines.length) return is.lines[was.lines.length]?.element.name;
  const around = ({ text, root }: XmlDocument) => [text.slice(0, root.start), text.slice(root.end)].join('<>');
  return around(before) === around(after) ? undefined : before.root.name;
}

const PORTS = 'pcie-expander-bus pcie-root-port pcie-switch-upstream-port pcie-switch-downstream-port'.split(' ');

/** Elements that say nothing once nothing is left in them. */
const VANISHING = new Set([
  ...['metadata', 'cpu', 'cpu/numa', 'cpu/numa/cell/distances', 'iommufd'],
  ...['hostdev/driver', 'hostdev/acpi', 'interface/driver', 'interface/acpi'].map((path) => `devices/${path}`),
  ...['', '/qemu:device', '/qemu:device/qemu:frontend'].map((path) => `qemu:override${path}`),
]);

/** Whether vsmmu may take out such an element of `<devices>`, and put it back: a plain expander bus, port or SMMUv3. */
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
  const driver = ['pciBus', 'accel', 'cmdqv', 'ats', 'ril', 'ssidsize', 'ssidSize', 'oas', 'pasid', 'name'];
  return (
    element.name === 'iommu' &&
    element.attribute('model') === 'smmuv3' &&
    has(element, ['model'], ['driver', 'alias']) &&
    element.children.every((e) => has(e, driver, []))
  );
}

/** Whether an element of `<devices>` is a host device that vsmmu added, held for the guest and not given to it. */
export function isCompanion(element: XmlElement): boolean {
  return (
    element.name === 'hostdev' &&
    isOurAlias(element.child('alias')?.attribute('name')) &&
    element.child('address')?.attribute('type') === 'unassigned' &&
    has(element, ['mode', 'type', 'managed'], ['driver', 'source', 'alias', 'address'])
  );
}

/** Whether a `<cell>` is one that vsmmu adds: without CPUs and memory, or all of the machine's. */
export function isManagedCell(cell: XmlElement): boolean {
  if (!has(cell, ['id', 'cpus', 'memory', 'unit'], ['distances'])) return false;
  if (cell.attribute('cpus') === undefined) return parseNumber(cell.attribute('memory') ?? '0') === 0;
  const siblings = cell.parent?.children ?? [];
  return !siblings.some((e) => e !== cell && e.name === 'cell' && e.attribute('cpus') !== undefined);
}

/** Whether an element is the `pcie-root` of every domain, and says nothing else. */
export function isBareRoot(element: XmlElement): boolean {
  return element.attribute('model') === 'pcie-root' && has(element, ['type', 'index', 'model'], ['pcihole64']);
}

const ADDRESS = ['type', 'domain', 'bus', 'slot', 'function', 'multifunction'];

function has({ attributes, children }: XmlElement, names: readonly string[], inside: readonly string[]): boolean {
  return attributes.every((a) => names.includes(a.name)) && children.every((e) => inside.includes(e.name));
}

/** Writes down what of a document vsmmu does not manage, a line for each start and end of an element. */
class Walker {
  readonly lines: { readonly element: XmlElement; text: string }[] = [];
  readonly #kept: Set<string>;
  readonly #isAfter: boolean;
  readonly #text: string;
  /** The aliases of its controllers. */
  readonly #aliases: ReadonlySet<string | undefined>;

  constructor({ root, text }: XmlDocument, kept: Set<string>, isAfter: boolean) {
    this.#text = text;
    const controllers = root.child('devices')?.childrenNamed('controller') ?? [];
    this.#aliases = new Set(controllers.map((e) => e.child('alias')?.attribute('name')));
    this.#kept = kept;
    this.#isAfter = isAfter;
  }

  walk(element: XmlElement, path: string): void {
    if (this.#isErased(element, path)) return;
    const line = { element, text: '' };
    const at = this.lines.push(line);
    const isMixed = element.text.trim() !== '';
    let [text, from] = ['', element.openEnd];
    for (const child of element.children) {
      text += this.#text.slice(from, child.start);
      from = child.end;
      const before = this.lines.length;
      this.walk(child, path === '' ? nameOf(child) : `${path}/${nameOf(child)}`);
      if (!isMixed || this.lines.length === before) continue;
      this.lines.splice(before, 0, { element, text });
      text = '';
    }
    text += this.#text.slice(from, element.closeStart);
    const attributes = element.attributes.filter(({ name, value }) => !isErasedAttribute(element, path, name, value));
    if (!isMixed && at === this.lines.length && saysNothing(element, path, attributes)) {
      this.lines.pop();
      return;
    }
    line.text = JSON.stringify([element.name, element.namespace, ...attributes.map((a) => [a.name, a.value])]);
    this.lines.push({ element, text: isMixed ? `>${text}` : '>' });
  }

  #isErased(element: XmlElement, path: string): boolean {
    const [first, second, third, ...deeper] = path.split('/');
    const { name, namespace } = element;
    if (first === 'metadata') return namespace === NAMESPACE && third === undefined;
    if (first === 'devices' && second !== undefined) {
      if (third === undefined) {
        return isRestorable(element) || (isCompanion(element) && this.#isGone(`hostdev ${sourceOf(element)}`));
      }
      if (deeper.length > 0) return false;
      if (name === 'address') return element.attribute('type') === 'pci' && has(element, ADDRESS, []);
      return name === 'pcihole64' && element.parent?.attribute('model') === 'pcie-root';
    }
    if (path === 'cpu/numa/cell') return isManagedCell(element) && this.#isGone(`cell ${element.attribute('id')}`);
    if (path === 'cpu/numa/cell/distances/sibling') {
      const values = [element.parent?.parent?.attribute('id'), ...element.attributes.map((a) => a.value)];
      return this.#isGone(`sibling ${values.join(' ')}`);
    }
    const isOverride = path === 'qemu:override/qemu:device/qemu:frontend/qemu:property';
    if (!isOverride || element.attribute('name') !== RESERVE_PROPERTY) return false;
    const alias = element.parent?.parent?.attribute('alias');
    return isOurAlias(alias) || (alias?.startsWith('ua-') === true && this.#aliases.has(alias));
  }

  /** Whether something that may be gone afterwards, but not be new, is gone. */
  #isGone(key: string): boolean {
    if (this.#isAfter) this.#kept.add(key);
    return !this.#kept.has(key);
  }
}

function nameOf({ name, localName, namespace }: XmlElement): string {
  return namespace === QEMU_NAMESPACE ? `qemu:${localName}` : namespace === '' ? name : '*';
}

function sourceOf(element: XmlElement): string {
  return (element.child('source')?.child('address')?.attributes ?? []).map((a) => `${a.name}=${a.value}`).join(' ');
}

/** Whether an element with nothing in it but these attributes means nothing. */
function saysNothing(element: XmlElement, path: string, attributes: readonly XmlAttribute[]): boolean {
  if (path === 'devices/controller') return isBareRoot(element);
  const others = attributes.filter(({ name }) => path !== 'qemu:override/qemu:device' || name !== 'alias');
  return VANISHING.has(path) && others.length === 0;
}

function isErasedAttribute(element: XmlElement, path: string, name: string, value: string): boolean {
  switch (path) {
    case '':
      return name.startsWith('xmlns:') && value === QEMU_NAMESPACE;
    case 'iommufd':
      return name === 'enabled';
    case 'devices/hostdev/driver':
    case 'devices/interface/driver':
      return name === 'iommufd' && element.children.length === 0;
    case 'devices/hostdev/acpi':
    case 'devices/interface/acpi':
      return name === 'nodeset';
    default:
      return false;
  }
}
