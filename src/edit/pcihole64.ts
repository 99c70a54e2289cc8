import type { Domain } from '../domain/domain.js';
import type { Plan } from '../generated/plan.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';
import { insertDevice, lastOf } from './insert.js';

/** Writes the plan's `<pcihole64>`, in a `pcie-root` controller of its own where the domain has none. */
export function editPciHole64(editor: XmlEditor, domain: Domain, { pcihole64 }: Plan): void {
  if (!pcihole64) return;
  const hole: NewElement = { name: 'pcihole64', attributes: [['unit', 'KiB']], text: String(pcihole64.after) };
  const root = domain.controllers.find((c) => c.model === 'pcie-root')?.element;
  if (domain.pciHole64) editor.replace(domain.pciHole64.element, hole);
  else if (root) editor.append(root, hole);
  else addRoot(editor, domain, hole);
}

/** Where libvirt prints it: before the other PCI controllers. */
function addRoot(editor: XmlEditor, domain: Domain, hole: NewElement): void {
  const controller: NewElement = {
    name: 'controller',
    attributes: [
      ['type', 'pci'],
      ['index', '0'],
      ['model', 'pcie-root'],
    ],
    children: [hole],
  };
  const first = domain.controllers[0]?.element;
  const last = lastOf(domain, ['controller', 'disk', 'emulator']);
  insertDevice(domain, editor, controller, first ? undefined : last, first);
}
