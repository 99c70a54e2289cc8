import { controllerIndex, formatGuestAddress, guestAddressAttributes, type Place } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { isInitiator } from '../domain/numa.js';
import { parseNumber } from '../domain/number.js';
import { reserveOf } from '../domain/overrides.js';
import type { Occupant } from '../domain/pci-tree.js';
import { spellingsOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { XmlElement } from '../xml/document.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';
import { cellNode, insert, newElement, removeElement } from './elements.js';
import { removeDistances } from './numa.js';
import { qemuPrefix, removeReserve, reserveMemory } from './overrides.js';

/** Stands for a missing value in the record. */
export const NONE = 'none';

/** One value that vsmmu may change in an element that it did not add. */
export interface Property {
  readonly name: string;
  readonly value: string;
  /** Writes another value. `NONE` removes the value, and also the element that held it if that is then empty. */
  write(editor: XmlEditor, value: string): void;
}

/** An element that vsmmu may change, with its name in the record: `device 0000:31:10.2`, `controller 5`. */
export interface Subject {
  readonly name: string;
  readonly element: XmlElement;
  readonly properties: readonly Property[];
}

/**
 * Lists every element of a domain that vsmmu may change, with the values that it may change there. `rewrite` writes these
 * values, the record stores them, and `revert` writes the former ones.
 */
export function subjectsOf(domain: Domain): Subject[] {
  const initiators = new Set(domain.numa.cells.filter(isInitiator).map(({ id }) => String(id)));
  return [
    { name: 'domain', element: domain.document.root, properties: domainProperties(domain) },
    ...domain.hostDevices.map((device) => ({
      name: `device ${device.bdf}`,
      element: device.element,
      properties: [
        addressProperty(device),
        attributeProperty(device.element, 'driver', 'iommufd'),
        attributeProperty(device.element, 'acpi', 'nodeset'),
      ],
    })),
    ...domain.otherDevices.flatMap((device) => {
      const { address, element } = device;
      const properties = [addressProperty(device)];
      return address ? [{ name: `guest ${formatGuestAddress(address)}`, element, properties }] : [];
    }),
    ...domain.controllers.map((controller) => ({
      name: `controller ${controller.index}`,
      element: controller.element,
      properties: [
        addressProperty(controller),
        attributeProperty(controller.element, 'alias', 'name', 'alias'),
        nodeProperty(controller.element),
        ...(controller.alias === undefined ? [] : [reserveProperty(domain, controller.alias)]),
      ],
    })),
    ...domain.iommus.map(({ element, pciBus }) => ({
      name: `iommu ${pciBus ?? 0}`,
      element,
      properties: ['pciBus', ...VSMMU_ATTRIBUTES.flatMap(spellingsOf)].map((name) =>
        attributeProperty(element, 'driver', name),
      ),
    })),
    ...domain.numa.cells.flatMap(({ id, element }) =>
      element ? [{ name: `cell ${id}`, element, properties: [distancesProperty(element, initiators)] }] : [],
    ),
  ];
}

/** Formats a place for the record: `03:00.0`, followed by ` multifunction` if the address has that attribute. */
export function formatPlace(place: Place | undefined): string {
  return place ? formatGuestAddress(place.address) + (place.multifunction ? ' multifunction' : '') : NONE;
}

/** Reads a place from the record; undefined if the text is not a place. */
export function parsePlace(value: string): Place | undefined {
  const [, bus, slot, func] = /^([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])/.exec(value) ?? [];
  const part = (text = '') => Number.parseInt(text, 16);
  if (func === undefined) return undefined;
  const address = { bus: controllerIndex(part(bus)), slot: part(slot), function: part(func) };
  return { address, multifunction: value.endsWith('multifunction') };
}

/**
 * The guest address of a controller or device. Writing it keeps an attribute that has the same number in
 * another form, such as `slot='0'`.
 */
function addressProperty({ element, address, multifunction }: Occupant): Property {
  return {
    name: 'address',
    value: formatPlace(address && { address, multifunction }),
    write: (editor, value) => {
      const present = element.child('address');
      const to = parsePlace(value);
      const attributes = to ? guestAddressAttributes(to.address, to.multifunction) : [];
      if (present && !to) removeElement(editor, present);
      else if (present && !to?.multifunction) editor.removeAttribute(present, 'multifunction');
      if (!present && to) insert(editor, element, { name: 'address', attributes });
      for (const [name, wanted] of present ? attributes : []) {
        const written = present?.attribute(name);
        const number = written === undefined ? undefined : parseNumber(written);
        const isSame = written === wanted || (number !== undefined && number === parseNumber(wanted));
        if (present && !isSame) editor.setAttribute(present, name, wanted);
      }
    },
  };
}

/** An attribute of a child element. */
function attributeProperty(element: XmlElement, childName: string, attribute: string, name = attribute): Property {
  const child = element.child(childName);
  return {
    name,
    value: child?.attribute(attribute) ?? NONE,
    write: (editor, value) => {
      if (child && value !== NONE) editor.setAttribute(child, attribute, value);
      else if (child) {
        editor.removeAttribute(child, attribute);
        editor.whenEmpty(child, 'remove');
        editor.whenEmpty(element, 'close');
      } else if (value !== NONE) insert(editor, element, newElement(childName, { [attribute]: value }));
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
      if (value === NONE && node && target) {
        removeElement(editor, node);
        editor.whenEmpty(target, 'remove');
      } else if (value !== NONE && target && !node) editor.append(target, cellNode(value));
      else if (value !== NONE && !target) editor.append(element, newElement('target', {}, [cellNode(value)]));
    },
  };
}

/** The memory that a port reserves, in bytes. */
function reserveProperty(domain: Domain, alias: string): Property {
  const bytes = reserveOf(domain.overrides, alias);
  return {
    name: 'reserve',
    value: bytes === 0 ? NONE : String(bytes),
    write: (editor, value) => {
      if (value === NONE) removeReserve(editor, domain, alias);
      else reserveMemory(domain, editor, [{ alias, reserve: Number(value) }]);
    },
  };
}

/** The distances from a cell to cells with CPUs or memory. Distances to other cells are added and removed with those cells. */
function distancesProperty(element: XmlElement, initiators: ReadonlySet<string>): Property {
  const all = element.child('distances')?.childrenNamed('sibling') ?? [];
  const siblings = all.filter((e) => !initiators.has(e.attribute('id') ?? ''));
  const textOf = (sibling: XmlElement) => `${sibling.attribute('id')}:${sibling.attribute('value')}`;
  return {
    name: 'distances',
    value: siblings.map(textOf).join(' ') || NONE,
    write: (editor, value) => {
      const kept = new Set(value.split(' '));
      const known = new Set(siblings);
      removeDistances(editor, element, (sibling) => known.has(sibling) && !kept.has(textOf(sibling)));
    },
  };
}

function domainProperties(domain: Domain): Property[] {
  const { document, pciHole64 } = domain;
  const { root } = document;
  const prefix = qemuPrefix(root);
  return [
    attributeProperty(root, 'iommufd', 'enabled', 'iommufd'),
    {
      name: 'pcihole64',
      value: pciHole64 ? String(pciHole64.size) : NONE,
      write: (editor, value) => {
        const hole = { ...newElement('pcihole64', { unit: 'KiB' }), text: value };
        const controller = domain.controllers.find((c) => c.model === 'pcie-root')?.element;
        if (pciHole64 && value === NONE) removeElement(editor, pciHole64.element);
        else if (pciHole64) editor.replace(pciHole64.element, hole);
        else if (value !== NONE && controller) editor.append(controller, hole);
        else if (value !== NONE) addRoot(editor, domain, hole);
      },
    },
    {
      name: 'namespace',
      value: prefix ?? NONE,
      write: (editor, value) => {
        if (value === NONE && prefix !== undefined && !isUsed(root, prefix, editor)) {
          editor.removeAttribute(root, `xmlns:${prefix}`);
        }
      },
    },
  ];
}

/** Adds a `pcie-root` controller where libvirt prints it: before the other PCI controllers. */
function addRoot(editor: XmlEditor, { controllers, devicesElement }: Domain, hole: NewElement): void {
  const controller = newElement('controller', { type: 'pci', index: 0, model: 'pcie-root' }, [hole]);
  if (controllers[0]) editor.insertBefore(controllers[0].element, controller);
  else insert(editor, devicesElement, controller);
}

/** Returns whether anything that stays in an element uses the prefix that the element declares. */
function isUsed(element: XmlElement, prefix: string, editor: XmlEditor): boolean {
  return element.children.some((child) => {
    if (child.attribute(`xmlns:${prefix}`) !== undefined || editor.isRemoved(child)) return false;
    const names = [child.name, ...child.attributes.map((a) => a.name)];
    return names.some((name) => name.startsWith(`${prefix}:`)) || isUsed(child, prefix, editor);
  });
}
