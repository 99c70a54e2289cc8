import { controllerIndex, formatGuestAddress, guestAddressAttributes, type Place } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { hugePagesOf } from '../domain/memory-backing.js';
import { parseNumber } from '../domain/number.js';
import type { Occupant } from '../domain/pci-tree.js';
import { spellingsOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import { oncePer } from '../once-per.js';
import type { XmlElement } from '../xml/document.js';
import type { XmlEditor } from '../xml/editor.js';
import type { NewElement } from '../xml/print.js';
import { cellNode, insert, newElement, removeElement } from './elements.js';

/** Stands for a missing value in the record. */
export const NONE = 'none';

/** A value that vsmmu may change in an element that it did not add. */
export interface Property {
  readonly name: string;
  read(subject: Subject): string;
  /** Writes another value. `NONE` removes the value, and also the element that held it if that is then empty. */
  write(subject: Subject, editor: XmlEditor, value: string): void;
}

/** An element that vsmmu may change. */
export interface Subject {
  /** Its name in the record: `device 0000:31:10.2`, `controller 5`. */
  readonly name: string;
  readonly element: XmlElement;
  readonly properties: readonly Property[];
  readonly domain: Domain;
  /** The controller or device. */
  readonly occupant: Occupant | undefined;
}

/** Returns every element of a domain that vsmmu may change. */
export const subjectsOf = oncePer(findSubjects);

function findSubjects(domain: Domain): ReadonlyMap<XmlElement, Subject> {
  const { document, hostDevices, otherDevices, controllers, iommus } = domain;
  const subjects = new Map<XmlElement, Subject>();
  const add = (name: string, element: XmlElement, properties: readonly Property[], occupant?: Occupant) =>
    subjects.set(element, { name, element, properties, domain, occupant });
  add('domain', document.root, DOMAIN);
  for (const device of hostDevices) add(`device ${device.bdf}`, device.element, DEVICE, device);
  for (const device of otherDevices) {
    if (device.address) add(`guest ${formatGuestAddress(device.address)}`, device.element, [ADDRESS], device);
  }
  for (const each of controllers) add(`controller ${each.index}`, each.element, CONTROLLER, each);
  for (const { element, pciBus = 0 } of iommus) add(`iommu ${pciBus}`, element, IOMMU);
  return subjects;
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
export const ADDRESS: Property = {
  name: 'address',
  read: ({ occupant }) => {
    const { address, multifunction = false } = occupant ?? {};
    return formatPlace(address && { address, multifunction });
  },
  write: ({ element }, editor, value) => {
    const present = element.child('address');
    const to = parsePlace(value);
    const attributes = to ? guestAddressAttributes(to.address, to.multifunction) : [];
    if (!present) return to && insert(editor, element, { name: 'address', attributes });
    if (!to) return removeElement(editor, present);
    if (!to.multifunction) editor.setAttribute(present, 'multifunction', undefined);
    for (const [name, wanted] of attributes) {
      const written = present.attribute(name);
      const number = written === undefined ? undefined : parseNumber(written);
      const isSame = written === wanted || (number !== undefined && number === parseNumber(wanted));
      if (!isSame) editor.setAttribute(present, name, wanted);
    }
  },
};

/** An attribute of a child element, or of a child of such an element: `features/ras`. */
function attributeOf(path: string, attribute: string, name = attribute): Property {
  const [childName = '', outer] = path.split('/').reverse();
  const parentOf = ({ element }: Subject) => (outer === undefined ? element : element.child(outer));
  return {
    name,
    read: (subject) => parentOf(subject)?.child(childName)?.attribute(attribute) ?? NONE,
    write: (subject, editor, value) => {
      const parent = parentOf(subject);
      const child = parent?.child(childName);
      if (child && value !== NONE) editor.setAttribute(child, attribute, value);
      else if (child && parent) {
        editor.setAttribute(child, attribute, undefined);
        editor.whenEmpty(child, 'remove');
        editor.whenEmpty(parent, 'close');
      } else if (value !== NONE) insert(editor, parent, newElement(childName, { [attribute]: value }));
    },
  };
}

export const ALIAS = attributeOf('alias', 'name', 'alias');

const NODE: Property = {
  name: 'node',
  read: ({ element }) => element.child('target')?.child('node')?.text.trim() ?? NONE,
  write: ({ element }, editor, value) => {
    const target = element.child('target');
    const node = target?.child('node');
    if (value === NONE && node && target) {
      removeElement(editor, node);
      editor.whenEmpty(target, 'remove');
    } else if (value !== NONE && target && !node) editor.append(target, cellNode(value));
    else if (value !== NONE && !target) editor.append(element, newElement('target', {}, [cellNode(value)]));
  },
};

const PCIHOLE64: Property = {
  name: 'pcihole64',
  read: ({ domain }) => String(domain.pciHole64?.size ?? NONE),
  write: ({ domain }, editor, value) => {
    const hole = { ...newElement('pcihole64', { unit: 'KiB' }), text: value };
    const present = domain.pciHole64?.element;
    const controller = domain.controllers.find((c) => c.model === 'pcie-root')?.element;
    if (present && value === NONE) removeElement(editor, present);
    else if (present) editor.replace(present, hole);
    else if (value !== NONE && controller) editor.append(controller, hole);
    else if (value !== NONE) addRoot(editor, domain, hole);
  },
};

/** The huge pages of the guest's memory: `on` for the host's default size, or one size in KiB. */
const HUGE_PAGES: Property = {
  name: 'hugePages',
  read: ({ element }) => String(hugePagesOf(element) ?? NONE),
  write: ({ element }, editor, value) => {
    const backing = element.child('memoryBacking');
    const present = backing?.child('hugepages');
    if (backing && present && value === NONE) {
      removeElement(editor, present);
      editor.whenEmpty(backing, 'remove');
    }
    if (present || value === NONE) return;
    const pages = value === 'on' ? [] : [newElement('page', { size: value, unit: 'KiB' })];
    const added = newElement('hugepages', {}, pages);
    if (backing) insert(editor, backing, added);
    else insert(editor, element, newElement('memoryBacking', {}, [added]));
  },
};

/** Adds a `pcie-root` controller where libvirt prints it: before the other PCI controllers. */
function addRoot(editor: XmlEditor, { controllers, devicesElement }: Domain, hole: NewElement): void {
  const controller = newElement('controller', { type: 'pci', index: 0, model: 'pcie-root' }, [hole]);
  if (controllers[0]) editor.insertBefore(controllers[0].element, controller);
  else insert(editor, devicesElement, controller);
}

const RAS = attributeOf('features/ras', 'state', 'ras');
const ROM_BAR = attributeOf('rom', 'bar', 'romBar');

/** The properties that vsmmu may change, per kind of element. */
const DOMAIN = [attributeOf('iommufd', 'enabled', 'iommufd'), RAS, HUGE_PAGES, PCIHOLE64];
const DEVICE = [ADDRESS, attributeOf('driver', 'iommufd'), ROM_BAR, attributeOf('acpi', 'nodeset')];
const CONTROLLER = [ADDRESS, ALIAS, NODE];
const IOMMU = ['pciBus', ...VSMMU_ATTRIBUTES.flatMap(spellingsOf)].map((name) => attributeOf('driver', name));
