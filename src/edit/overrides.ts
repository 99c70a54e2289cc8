import type { Domain } from '../domain/domain.js';
import { QEMU_NAMESPACE, RESERVE_PROPERTY, reserveOf } from '../domain/overrides.js';
import type { Port } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import type { XmlEditor } from '../xml/editor.js';
import type { NewElement } from '../xml/print.js';
import type { DomainEditor } from './domain-editor.js';
import { newElement, removeElement } from './elements.js';

/** Removes the memory reservation of a port from `<qemu:override>`, with the elements that are then empty. */
export function removeReserve(editor: XmlEditor, { overrides }: Domain, alias: string): void {
  const device = overrides.devices.get(alias);
  if (!device?.reserve || !device.frontend) return;
  const isOnly = device.element.children.length === 1 && device.frontend.children.length === 1;
  removeElement(editor, isOnly ? device.element : device.reserve.element);
  if (overrides.element) editor.whenEmpty(overrides.element, 'remove');
}

/**
 * Writes the memory that ports reserve to `<qemu:override>`. libvirt 12.8 has no attribute for 64-bit prefetchable memory
 * (`memReserve` is for other memory). The namespace is declared on the root, as libvirt prints it.
 */
export function reserveMemory(
  { overrides, document: { root } }: Domain,
  editor: XmlEditor,
  ports: readonly Pick<Port, 'alias' | 'reserve'>[],
): void {
  const changed = ports.filter(({ alias, reserve }) => alias !== null && reserve !== reserveOf(overrides, alias));
  if (changed.length === 0) return;
  const prefix = overrides.element?.prefix ?? qemuPrefix(root) ?? declareQemu(root, editor);
  const named = (local: string, attributes: Parameters<typeof newElement>[1], children?: readonly NewElement[]) =>
    newElement(prefix === '' ? local : `${prefix}:${local}`, attributes, children);
  const added: NewElement[] = [];
  for (const { alias, reserve } of changed) {
    const present = overrides.devices.get(alias ?? '');
    const property = named('property', { name: RESERVE_PROPERTY, type: 'unsigned', value: reserve });
    const frontend = named('frontend', {}, [property]);
    if (present?.reserve) editor.replace(present.reserve.element, property);
    else if (present?.frontend) editor.append(present.frontend, property);
    else if (present) editor.append(present.element, frontend);
    else added.push(named('device', { alias: alias ?? '' }, [frontend]));
  }
  if (overrides.element) for (const device of added) editor.append(overrides.element, device);
  else if (added.length > 0) editor.append(root, named('override', {}, added));
}

/** Removes the declaration of QEMU's namespace from the root if `<qemu:override>` is removed and nothing else uses it. */
export function removeUnusedNamespace(editor: DomainEditor): void {
  const { overrides, document } = editor.domain;
  const { root } = document;
  const prefix = qemuPrefix(root);
  const isLeaving = overrides.element && editor.isRemoved(overrides.element);
  if (isLeaving && prefix !== undefined && !isUsed(root, prefix, editor)) {
    editor.setAttribute(root, `xmlns:${prefix}`, undefined);
  }
}

/** Returns whether the remaining descendants of an element use the prefix that the element declares. */
function isUsed(element: XmlElement, prefix: string, editor: XmlEditor): boolean {
  return element.children.some((child) => {
    if (child.attribute(`xmlns:${prefix}`) !== undefined || editor.isRemoved(child)) return false;
    const names = [child.name, ...child.attributes.map((a) => a.name)];
    return names.some((name) => name.startsWith(`${prefix}:`)) || isUsed(child, prefix, editor);
  });
}

/** Returns the prefix that the root declares for QEMU's namespace, if any. */
function qemuPrefix({ attributes }: XmlElement): string | undefined {
  const declaration = attributes.find(({ name, value }) => name.startsWith('xmlns:') && value === QEMU_NAMESPACE);
  return declaration?.name.slice('xmlns:'.length);
}

/** Declares QEMU's namespace on the root and returns the prefix: `qemu`, or `qemu` with a number if that is taken. */
function declareQemu(root: XmlElement, editor: XmlEditor): string {
  let prefix = 'qemu';
  for (let n = 1; root.attribute(`xmlns:${prefix}`) !== undefined; n++) prefix = `qemu${n}`;
  editor.setAttribute(root, `xmlns:${prefix}`, QEMU_NAMESPACE);
  return prefix;
}
