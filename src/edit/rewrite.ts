import type { Domain } from '../domain/domain.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import { dialectValue, spellingOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { Plan } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import { XmlEditor } from '../xml/editor.js';
import type { NewElement } from '../xml/print.js';
import { expanderBus, groupMember, insert, pciePort, vsmmu } from './elements.js';
import { editNuma } from './numa.js';
import { reserveMemory } from './overrides.js';
import { formatPlace, NONE, subjectsOf } from './properties.js';
import { applyWithRecord } from './undo/write-record.js';

/**
 * Applies a plan: returns the domain's text with the plan's edits, and every other byte unchanged. Makes no decisions.
 * @param domain the domain that the plan was made for
 */
export function rewrite(domain: Domain, plan: Plan): string {
  return applyPlan(domain, plan).document.text;
}

/** Applies a plan like `rewrite`, and returns the result as a domain: the given one if nothing changes. */
export function applyPlan(domain: Domain, plan: Plan): Domain {
  const editor = new XmlEditor(domain.document);
  const subjects = new Map(subjectsOf(domain).map((subject) => [subject.element, subject]));
  const set: SetProperty = (element, name, value) => {
    const subject = element && subjects.get(element);
    const property = subject?.properties.find((each) => each.name === name);
    if (subject && property && property.read(subject) !== value) property.write(subject, editor, value);
  };
  if (plan.pcihole64) set(domain.document.root, 'pcihole64', String(plan.pcihole64.after));
  editNuma(editor, domain, plan);
  editControllers(editor, domain, plan, set);
  editDevices(editor, domain, plan, set);
  if (plan.iommufd !== 'none') set(domain.document.root, 'iommufd', 'yes');
  editIommus(editor, domain, plan, set);
  reserveMemory(
    domain,
    editor,
    plan.expanderBuses.flatMap((expanderBus) => expanderBus.ports),
  );
  // Do not use `plan.changed`: a change that the plan did not count would be lost silently.
  return applyWithRecord(domain, editor);
}

/** Writes a property of an element unless it has that value already. */
type SetProperty = (element: XmlElement | undefined, name: string, value: string) => void;

/**
 * Adds controllers after the last PCI controller, sorted by index as in libvirt, and sets the
 * NUMA cells of kept expander buses.
 */
function editControllers(
  editor: XmlEditor,
  domain: Domain,
  { expanderBuses, rootPorts }: Plan,
  set: SetProperty,
): void {
  const ports = [
    ...rootPorts,
    ...expanderBuses.flatMap((expanderBus) => expanderBus.ports.filter((port) => !port.kept)),
  ];
  const added = [
    ...ports.map((port) => ({ index: port.controllerIndex, element: pciePort(port) })),
    ...expanderBuses.flatMap((b) => (b.kept ? [] : [{ index: b.controllerIndex, element: expanderBus(b) }])),
  ].sort((a, b) => a.index - b.index);
  const last = domain.controllers.at(-1)?.element;
  for (const { element } of added) insert(editor, domain.devicesElement, element, last);
  for (const { kept, controllerIndex, node } of expanderBuses) {
    const present = domain.controllers.find((c) => c.index === controllerIndex)?.element;
    if (kept && node !== null) set(present, 'node', String(node));
  }
}

function editDevices(editor: XmlEditor, domain: Domain, plan: Plan, set: SetProperty): void {
  const withCells = new Set(plan.numa.initiators.map(({ device }) => device));
  const byBdf = new Map(domain.hostDevices.map((device) => [device.bdf, device]));
  for (const { bdf, to, multifunction, iommufd, nodeset } of plan.devices) {
    const present = byBdf.get(bdf);
    if (!present) continue;
    if (nodeset !== null && withCells.has(bdf)) set(present.element, 'nodeset', nodeset);
    if (to) set(present.element, 'address', formatPlace({ address: to, multifunction }));
    if (iommufd === 'yes') set(present.element, 'iommufd', 'yes');
  }
  for (const bdf of plan.groupMembers) insert(editor, domain.devicesElement, groupMember(bdf));
  for (const { bdf, element } of domain.hostDevices) {
    if (plan.orphaned.groupMembers.includes(bdf)) editor.remove(element);
  }
  // `renumbered` lists devices that become function 0 of their slot, and emulated devices that move to another bus. The latter
  // were behind an accelerated vSMMU, where QEMU refuses them, so `revert` leaves them at their new address.
  const tree = new PciTree(domain);
  for (const { from, to, multifunction } of plan.renumbered) {
    const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
    set(occupant?.element, 'address', formatPlace({ address: to, multifunction }));
  }
}

function editIommus(editor: XmlEditor, domain: Domain, plan: Plan, set: SetProperty): void {
  const { iommus } = domain;
  const root = iommus.find(({ pciBus = ROOT_BUS }) => pciBus === ROOT_BUS)?.element;
  if (root && plan.machineIommu === 'drop') editor.remove(root);
  if (plan.machineIommu === 'pcie-root') set(root, 'pciBus', String(ROOT_BUS));
  // QEMU 11.1 accepts a virtio IOMMU only after the SMMUs.
  const virtio = iommus.find(({ model }) => model === 'virtio')?.element;
  const add = (iommu: NewElement) =>
    virtio ? editor.insertBefore(virtio, iommu) : insert(editor, domain.devicesElement, iommu);
  const { dialect } = plan;
  for (const expanderBus of plan.expanderBuses) {
    const { vsmmuChange } = expanderBus;
    const iommu = iommus.find((i) => i.pciBus === expanderBus.controllerIndex);
    if (vsmmuChange === 'add') add(vsmmu(expanderBus, dialect));
    else if (iommu && vsmmuChange === 'remove') editor.remove(iommu.element);
    else if (iommu && vsmmuChange === 'set') {
      for (const name of VSMMU_ATTRIBUTES) {
        const value = expanderBus.vsmmu[name];
        if (value !== undefined) set(iommu.element, spellingOf(name, dialect), dialectValue(name, value, dialect));
      }
      for (const { attribute, name } of iommu.spellings) {
        if (name !== spellingOf(attribute, dialect)) set(iommu.element, name, NONE);
      }
    }
  }
}
