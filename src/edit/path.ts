import { formatBdf, formatGuestAddress, type GuestAddress } from '../domain/address.js';
import { parseNumber } from '../domain/number.js';
import type { XmlElement } from '../xml/document.js';
import type { ElementEdits, NewElement } from '../xml/editor.js';

/** What of an element tells it from its like; of one that is there, that is edited, or that is to come. */
export interface Described {
  readonly name: string;
  attribute(name: string): string | undefined;
  child(name: string): Described | undefined;
}

/** What may stand in the brackets of a step. */
const KEY = /^[\w:.-]+$/;

/** Attributes that tell elements of one name apart, where they have one of these. */
const KEY_ATTRIBUTES = ['id', 'alias', 'cellid'];

/** The path of the root element. */
export const ROOT_PATH = '.';

/**
 * One step of a path: `hostdev[0000:31:10.2]` (the host's address), `controller[10]` (its index), `iommu[10]` (its bus, none
 * for that of pcie.0), `disk[02:00.0]` and `address[02:00.0]` (the guest's address), `cell[3]`, or the name alone.
 */
export function stepOf(element: Described): string {
  // The only prefix of elements that are ours is that of QEMU's namespace, whatever the document calls it.
  const name = element.name.replace(/^.*:/, 'qemu:');
  const key = keyOf(element);
  return key !== undefined && KEY.test(key) ? `${name}[${key}]` : name;
}

function keyOf(element: Described): string | undefined {
  const type = element.attribute('type');
  switch (element.name) {
    case 'hostdev':
    case 'interface':
      if (type === 'pci' || type === 'hostdev') return sourceOf(element) ?? guestAddress(element);
      return guestAddress(element);
    case 'iommu':
      return element.child('driver')?.attribute('pciBus')?.replace(/^0$/, '') || undefined;
    case 'address':
      return type === 'pci' ? ownAddress(element) : undefined;
    case 'controller':
      return (type === 'pci' ? element.attribute('index') : undefined) ?? guestAddress(element);
    default: {
      const attribute = KEY_ATTRIBUTES.map((name) => element.attribute(name)).find((value) => value !== undefined);
      return guestAddress(element) ?? attribute;
    }
  }
}

/** The host's address of a host device. */
function sourceOf(element: Described): string | undefined {
  const address = element.child('source')?.child('address');
  if (!address || (address.attribute('type') ?? 'pci') !== 'pci') return undefined;
  const part = (name: string) => parseNumber(address.attribute(name) ?? '0') ?? 0;
  return formatBdf({ domain: part('domain'), bus: part('bus'), slot: part('slot'), function: part('function') });
}

function guestAddress(element: Described): string | undefined {
  const address = element.child('address');
  return address?.attribute('type') === 'pci' ? ownAddress(address) : undefined;
}

function ownAddress(address: Described): string {
  const part = (name: string) => parseNumber(address.attribute(name) ?? '0') ?? 0;
  return formatGuestAddress({ bus: part('bus'), slot: part('slot'), function: part('function') } as GuestAddress);
}

/** The path of an element from its document's root, as the edits will have made it. */
export function pathOf(element: XmlElement, edits: ReadonlyMap<XmlElement, ElementEdits> = new Map()): string {
  if (element.parent === undefined) return ROOT_PATH;
  const step = editedStep(element, edits);
  return element.parent.parent === undefined ? step : `${pathOf(element.parent, edits)}/${step}`;
}

/** The path of a child. */
export function below(path: string, step: string): string {
  return path === ROOT_PATH ? step : `${path}/${step}`;
}

/** The element at a path, the first where several fit; undefined where none is. */
export function find(root: XmlElement, path: string): XmlElement | undefined {
  if (path === ROOT_PATH) return root;
  let at: XmlElement | undefined = root;
  for (const step of path.split('/')) at = at && childrenBySteps(at).get(step);
  return at;
}

const STEPS = new WeakMap<XmlElement, ReadonlyMap<string, XmlElement>>();

function childrenBySteps(element: XmlElement): ReadonlyMap<string, XmlElement> {
  const known = STEPS.get(element);
  if (known) return known;
  const children = new Map<string, XmlElement>();
  for (const child of element.children) {
    const step = stepOf(child);
    if (!children.has(step)) children.set(step, child);
  }
  STEPS.set(element, children);
  return children;
}

/** The step of an element as the edits will have made it. */
export function editedStep(element: XmlElement, edits: ReadonlyMap<XmlElement, ElementEdits>): string {
  return stepOf(new Edited(element, edits));
}

/** An element as the edits will have made it. */
class Edited implements Described {
  constructor(
    readonly element: XmlElement,
    readonly edits: ReadonlyMap<XmlElement, ElementEdits>,
  ) {}

  get name(): string {
    return this.element.name;
  }

  attribute(name: string): string | undefined {
    const changed = this.edits.get(this.element)?.attributes;
    return changed?.has(name) ? changed.get(name) : this.element.attribute(name);
  }

  child(name: string): Described | undefined {
    const there = this.element.child(name);
    if (there) return new Edited(there, this.edits);
    const added = this.edits.get(this.element)?.appended.find((child) => child.name === name);
    return added && describeNew(added);
  }
}

/** An element that is to come, as something to be described. */
export function describeNew(element: NewElement): Described {
  return {
    name: element.name,
    attribute: (name) => element.attributes?.find(([given]) => given === name)?.[1],
    child: (name) => {
      const child = element.children?.find((each) => each.name === name);
      return child && describeNew(child);
    },
  };
}
