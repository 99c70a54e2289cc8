import { formatGuestAddress, type GuestAddress } from '../../domain/address.js';
import type { Domain } from '../../domain/domain.js';
import { VSMMU_ATTRIBUTES } from '../../domain/iommu.js';
import { QEMU_NAMESPACE, reserveOf } from '../../domain/overrides.js';
import { isInitiator } from '../../plan/numa.js';
import type { XmlDocument, XmlElement } from '../../xml/document.js';
import type { XmlEditor } from '../../xml/editor.js';
import type { Quote } from '../../xml/print.js';
import { reserveMemory } from '../overrides.js';
import { setAddress } from '../set-address.js';

/** What the record writes for a property that is not there. */
export const NONE = 'none';

/** One value that vsmmu may change in an element that it did not add. */
export interface Property {
  readonly name: string;
  readonly value: string;
  /** Gives it another value; `NONE` takes it out, and the element that held it where nothing is left in that. */
  write(editor: XmlEditor, value: string): void;
}

/** An element that vsmmu may change, and what names it in the record: `device 0000:31:10.2`, `controller 5`. */
export interface Subject {
  readonly name: string;
  readonly element: XmlElement;
  readonly properties: readonly Property[];
}

/** Every element of a domain that vsmmu may change, with the values that it may change there. */
export function subjectsOf(domain: Domain): Subject[] {
  const { root } = domain.document;
  const quote = quoteOf(domain.document);
  const initiators = new Set(domain.numa.cells.filter(isInitiator).map(({ id }) => String(id)));
  return [
    { name: 'domain', element: root, properties: domainProperties(domain) },
    ...domain.hostDevices.map(({ bdf, element, address, multifunction }) => ({
      name: `device ${bdf}`,
      element,
      properties: [
        addressProperty(quote, element, address, multifunction),
        attributeProperty(quote, 'iommufd', element, 'driver', 'iommufd'),
        attributeProperty(quote, 'nodeset', element, 'acpi', 'nodeset'),
      ],
    })),
    ...domain.otherDevices.flatMap(({ element, address, multifunction }) => {
      const properties = [addressProperty(quote, element, address, multifunction)];
      return address ? [{ name: `guest ${formatGuestAddress(address)}`, element, properties }] : [];
    }),
    ...domain.controllers.map(({ index, element, address, multifunction, alias }) => ({
      name: `controller ${index}`,
      element,
      properties: [
        addressProperty(quote, element, address, multifunction),
        nodeProperty(element),
        ...(alias === undefined ? [] : [reserveProperty(domain, alias)]),
      ],
    })),
    ...domain.iommus.map(({ element, pciBus }) => ({
      name: `iommu ${pciBus ?? 0}`,
      element,
      properties: ['pciBus', ...VSMMU_ATTRIBUTES, 'ssidSize'].map((name) =>
        attributeProperty(quote, name, element, 'driver', name),
      ),
    })),
    ...domain.numa.cells.flatMap(({ id, element }) =>
      element ? [{ name: `cell ${id}`, element, properties: [distancesProperty(element, initiators)] }] : [],
    ),
  ];
}

/** The quote for new attributes: the root's, which no record changes. */
export function quoteOf({ root, text }: XmlDocument): Quote {
  return text[root.attributes[0]?.valueEnd ?? 0] === '"' ? '"' : "'";
}

/** An address as the record writes it: `03:00.0`, with ` multifunction` where the element says so. */
export function formatAddress(address: GuestAddress | undefined, multifunction: boolean): string {
  if (!address) return NONE;
  return formatGuestAddress(address) + (multifunction ? ' multifunction' : '');
}

/** The address that a value of the record names; undefined for none. */
export function parseAddress(value: string): GuestAddress | undefined {
  const [, bus, slot, func] = /^([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])/.exec(value) ?? [];
  const part = (text = '') => Number.parseInt(text, 16);
  if (func === undefined) return undefined;
  return { bus: part(bus), slot: part(slot), function: part(func) } as GuestAddress;
}

function addressProperty(
  quote: Quote,
  element: XmlElement,
  address: GuestAddress | undefined,
  multifunction: boolean,
): Property {
  return {
    name: 'address',
    value: formatAddress(address, multifunction),
    write: (editor, value) => {
      const present = element.child('address');
      const to = parseAddress(value);
      if (!to) {
        if (present) take(editor, present);
        return;
      }
      const isMultifunction = value.endsWith('multifunction');
      if (present && !isMultifunction) editor.removeAttribute(present, 'multifunction');
      setAddress(editor, element, to, isMultifunction, quote);
    },
  };
}

/** An attribute of a child element. */
function attributeProperty(
  quote: Quote,
  name: string,
  element: XmlElement,
  childName: string,
  attribute: string,
): Property {
  const child = element.child(childName);
  return {
    name,
    value: child?.attribute(attribute) ?? NONE,
    write: (editor, value) => {
      if (!child) {
        if (value !== NONE) editor.append(element, { name: childName, attributes: [[attribute, value]], quote });
      } else if (value !== NONE) editor.setAttribute(child, attribute, value);
      else {
        editor.removeAttribute(child, attribute);
        editor.whenEmpty(child, 'remove');
        editor.whenEmpty(element, 'close');
      }
    },
  };
}

function nodeProperty(element: XmlElement): Property {
  const target = element.child('target');
  const node = target?.child('node');
  return {
    name: 'node',
    value: node?.text.trim() ?? NONE,
    write: (editor, value) => {
      if (value !== NONE || !node || !target) return;
      take(editor, node);
      editor.whenEmpty(target, 'remove');
    },
  };
}

function reserveProperty(domain: Domain, alias: string): Property {
  const bytes = reserveOf(domain.overrides, alias);
  return {
    name: 'reserve',
    value: bytes === 0 ? NONE : String(bytes),
    write: (editor, value) => {
      if (value === NONE) takeReserve(editor, domain, alias);
      else reserveMemory(domain, editor, [{ alias, reserve: Number(value) }]);
    },
  };
}

/** Takes out what `<qemu:override>` has a port reserve, and what is left empty around it. */
export function takeReserve(editor: XmlEditor, { overrides }: Domain, alias: string): void {
  const device = overrides.devices.get(alias);
  if (!device?.reserve || !device.frontend) return;
  const isOnly = device.element.children.length === 1 && device.frontend.children.length === 1;
  take(editor, isOnly ? device.element : device.reserve.element);
  if (overrides.element) editor.whenEmpty(overrides.element, 'remove');
}

/** The distances of a cell to those with CPUs or memory; those to others come and go with the other cell. */
function distancesProperty(element: XmlElement, initiators: ReadonlySet<string>): Property {
  const distances = element.child('distances');
  const all = distances?.childrenNamed('sibling') ?? [];
  const siblings = all.filter((e) => !initiators.has(e.attribute('id') ?? ''));
  const textOf = (sibling: XmlElement) => `${sibling.attribute('id')}:${sibling.attribute('value')}`;
  return {
    name: 'distances',
    value: siblings.map(textOf).join(' ') || NONE,
    write: (editor, value) => {
      const kept = new Set(value.split(' '));
      for (const sibling of siblings) if (!kept.has(textOf(sibling))) take(editor, sibling);
      if (distances) editor.whenEmpty(distances, 'remove');
      editor.whenEmpty(element, 'close');
    },
  };
}

function domainProperties(domain: Domain): Property[] {
  const { document, iommufd, pciHole64 } = domain;
  const { root } = document;
  const declaration = root.attributes.find((a) => a.name.startsWith('xmlns:') && a.value === QEMU_NAMESPACE);
  return [
    {
      name: 'iommufd',
      value: iommufd?.element.attribute('enabled') ?? NONE,
      write: (editor, value) => {
        if (!iommufd) return;
        if (value !== NONE) editor.setAttribute(iommufd.element, 'enabled', value);
        else editor.removeAttribute(iommufd.element, 'enabled');
        editor.whenEmpty(iommufd.element, 'remove');
      },
    },
    {
      name: 'pcihole64',
      value: pciHole64 ? String(pciHole64.size) : NONE,
      write: (editor, value) => {
        if (!pciHole64) return;
        const { element } = pciHole64;
        if (value === NONE) take(editor, element);
        else editor.replace(element, { name: 'pcihole64', attributes: [['unit', 'KiB']], text: value });
      },
    },
    {
      name: 'namespace',
      value: declaration?.name.slice('xmlns:'.length) ?? NONE,
      write: (editor, value) => {
        if (value === NONE && declaration && !isUsed(root, declaration.name.slice('xmlns:'.length), editor)) {
          editor.removeAttribute(root, declaration.name);
        }
      },
    },
  ];
}

/** Whether something that stays in an element has the prefix that this element declares. */
function isUsed(element: XmlElement, prefix: string, editor: XmlEditor): boolean {
  return element.children.some((child) => {
    if (child.attribute(`xmlns:${prefix}`) !== undefined || editor.isRemoved(child)) return false;
    const names = [child.name, ...child.attributes.map((a) => a.name)];
    return names.some((name) => name.startsWith(`${prefix}:`)) || isUsed(child, prefix, editor);
  });
}

/** Takes out an element; the one that it was in becomes an empty one where nothing is left in it. */
export function take(editor: XmlEditor, element: XmlElement): void {
  editor.remove(element);
  if (element.parent) editor.whenEmpty(element.parent, 'close');
}
