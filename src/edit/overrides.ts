import type { Domain } from '../domain/domain.js';
import { QEMU_NAMESPACE, RESERVE_PROPERTY, reserveOf } from '../domain/overrides.js';
import type { Port } from '../generated/plan.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';

/**
 * Says in `<qemu:override>` how much memory ports reserve: libvirt has no word of its own for the 64-bit prefetchable
 * one (12.8; `memReserve` is for the other). The namespace is declared on the root, as libvirt prints it.
 */
export function reserveMemory(
  domain: Domain,
  editor: XmlEditor,
  ports: readonly Pick<Port, 'alias' | 'reserve'>[],
): void {
  const { overrides, document } = domain;
  const changed = ports.filter(({ alias, reserve }) => alias !== null && reserve !== reserveOf(overrides, alias));
  if (changed.length === 0) return;
  const prefix = overrides.element?.prefix ?? declaredPrefix(domain) ?? declare(domain, editor);
  const name = (local: string) => (prefix === '' ? local : `${prefix}:${local}`);
  const added: NewElement[] = [];
  for (const { alias, reserve } of changed) {
    const present = overrides.devices.get(alias ?? '');
    const property: NewElement = {
      name: name('property'),
      attributes: [
        ['name', RESERVE_PROPERTY],
        ['type', 'unsigned'],
        ['value', String(reserve)],
      ],
    };
    const frontend: NewElement = { name: name('frontend'), children: [property] };
    if (present?.reserve) editor.replace(present.reserve.element, property);
    else if (present?.frontend) editor.append(present.frontend, property);
    else if (present) editor.append(present.element, frontend);
    else added.push({ name: name('device'), attributes: [['alias', alias ?? '']], children: [frontend] });
  }
  if (added.length === 0) return;
  if (overrides.element) for (const device of added) editor.append(overrides.element, device);
  else editor.append(document.root, { name: name('override'), children: added });
}

/** The prefix that the root declares for QEMU's namespace, where it does. */
function declaredPrefix({ document }: Domain): string | undefined {
  const declaration = document.root.attributes.find(
    ({ name, value }) => name.startsWith('xmlns:') && value === QEMU_NAMESPACE,
  );
  return declaration?.name.slice('xmlns:'.length);
}

/** Declares it on the root, as `qemu` unless that is another's. */
function declare({ document }: Domain, editor: XmlEditor): string {
  let prefix = 'qemu';
  for (let n = 1; document.root.attribute(`xmlns:${prefix}`) !== undefined; n++) prefix = `qemu${n}`;
  editor.setAttribute(document.root, `xmlns:${prefix}`, QEMU_NAMESPACE);
  return prefix;
}
