import type { Domain } from '../domain/domain.js';
import type { XmlElement } from '../xml/document.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';

/** The children of `<devices>` that libvirt 12.8 prints after `<iommu>`. */
export const AFTER_IOMMUS: readonly string[] = ['vsock', 'crypto', 'pstore'];

/** Adds an element to `<devices>`: after one, else before another, else as the last. */
export function insertDevice(
  { devicesElement }: Domain,
  editor: XmlEditor,
  element: NewElement,
  after: XmlElement | undefined,
  before?: XmlElement,
): void {
  if (after) editor.insertAfter(after, element);
  else if (before) editor.insertBefore(before, element);
  else if (devicesElement) editor.append(devicesElement, element);
}

/** The last child of `<devices>` with the first of these names that one has. */
export function lastOf({ devicesElement }: Domain, names: readonly string[]): XmlElement | undefined {
  const children = devicesElement?.children ?? [];
  return names.map((name) => children.findLast((e) => e.name === name)).find((e) => e !== undefined);
}

/** The first child of `<devices>` that has one of these names. */
export function firstOf({ devicesElement }: Domain, names: readonly string[]): XmlElement | undefined {
  return devicesElement?.children.find((e) => names.includes(e.name));
}
