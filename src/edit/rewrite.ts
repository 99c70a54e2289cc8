import type { Domain } from '../domain/domain.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import { dialectValue, spellingOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { Plan } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import { XmlEditor } from '../xml/editor.js';
import { expanderBus, groupMember, insert, pciePort, vsmmu } from './elements.js';
import { editNuma } from './numa.js';
import { reserveMemory } from './overrides.js';
import { formatPlace, NONE, subjectsOf } from './properties.js';
import { applyWithRecord, type Edited } from './undo/write-record.js';

/**
 * Applies a plan: returns the domain's text with the plan's edits, and every other byte unchanged. Makes no decisions.
 * @param domain the domain that the plan was made for
 */
export function rewrite(domain: Domain, plan: Plan): string {
  return applyPlan(domain, plan).document.text;
}

/** Applies a plan like `rewrite`, and returns the parsed result. */
export function applyPlan(domain: Domain, plan: Plan): Edited {
  const { devicesElement, document, controllers, hostDevices, iommus } = domain;
  const { expanderBuses, dialect } = plan;
  const editor = new XmlEditor(document);
  const subjects = new Map(subjectsOf(domain).map((subject) => [subject.element, subject]));
  /** Writes a property of an element unless it has that value already. */
  const set = (element: XmlElement | undefined, name: string, value: string): void => {
    const subject = element && subjects.get(element);
    const property = subject?.properties.find((each) => each.name === name);
    if (subject && property && property.read(subject) !== value) property.write(subject, editor, value);
  };
  if (plan.pcihole64) set(document.root, 'pcihole64', String(plan.pcihole64.after));
  editNuma(editor, domain, plan);
  editControllers();
  editDevices();
  if (plan.iommufd !== 'none') set(document.root, 'iommufd', 'yes');
  if (plan.settings.ras) set(document.root, 'ras', 'on');
  if (plan.settings.hugePages !== null) set(document.root, 'hugePages', String(plan.settings.hugePages));
  editIommus();
  const ports = expanderBuses.flatMap((bus) => bus.ports);
  reserveMemory(domain, editor, ports);
  // Do not use `plan.changed`: a change that the plan did not count would be lost silently.
  return applyWithRecord(domain, editor);

  /** Adds controllers after the last PCI controller, sorted by index as in libvirt, and sets the cells of kept expander buses. */
  function editControllers(): void {
    const added = [
      ...[...plan.rootPorts, ...expanderBuses.flatMap((bus) => bus.ports.filter((port) => !port.kept))].map((port) => {
        return { index: port.controllerIndex, element: pciePort(port) };
      }),
      ...expanderBuses.flatMap((b) => (b.kept ? [] : [{ index: b.controllerIndex, element: expanderBus(b) }])),
    ].sort((a, b) => a.index - b.index);
    for (const { element } of added) insert(editor, devicesElement, element, controllers.at(-1)?.element);
    for (const { kept, controllerIndex, node } of expanderBuses) {
      const present = controllers.find((c) => c.index === controllerIndex)?.element;
      if (kept && node !== null) set(present, 'node', String(node));
    }
  }

  function editDevices(): void {
    const withCells = new Set(plan.numa.initiators.map(({ device }) => device));
    const romBars = new Set(plan.settings.romBars);
    const byBdf = new Map(hostDevices.map((device) => [device.bdf, device.element]));
    for (const { bdf, to, multifunction, iommufd, nodeset } of plan.devices) {
      const present = byBdf.get(bdf);
      if (nodeset !== null && withCells.has(bdf)) set(present, 'nodeset', nodeset);
      if (to) set(present, 'address', formatPlace({ address: to, multifunction }));
      if (iommufd === 'yes') set(present, 'iommufd', 'yes');
      if (romBars.has(bdf)) set(present, 'romBar', 'off');
    }
    for (const bdf of plan.groupMembers) insert(editor, devicesElement, groupMember(bdf));
    for (const { bdf, element } of hostDevices) if (plan.orphaned.groupMembers.includes(bdf)) editor.remove(element);
    // `renumbered` lists devices that become function 0 of their slot, and emulated devices that move to another bus. The latter
    // were behind an accelerated vSMMU, where QEMU refuses them, so `revert` leaves them at their new address.
    const tree = new PciTree(domain);
    for (const { from, to, multifunction } of plan.renumbered) {
      const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
      set(occupant?.element, 'address', formatPlace({ address: to, multifunction }));
    }
  }

  function editIommus(): void {
    const root = iommus.find(({ pciBus = ROOT_BUS }) => pciBus === ROOT_BUS)?.element;
    if (root && plan.machineIommu === 'drop') editor.remove(root);
    if (plan.machineIommu === 'pcie-root') set(root, 'pciBus', String(ROOT_BUS));
    // QEMU 11.1 accepts a virtio IOMMU only after the SMMUs.
    const virtio = iommus.find(({ model }) => model === 'virtio')?.element;
    for (const bus of expanderBuses) {
      const iommu = iommus.find((i) => i.pciBus === bus.controllerIndex);
      if (bus.vsmmuChange === 'add' && virtio) editor.insertBefore(virtio, vsmmu(bus, dialect));
      else if (bus.vsmmuChange === 'add') insert(editor, devicesElement, vsmmu(bus, dialect));
      else if (iommu && bus.vsmmuChange === 'remove') editor.remove(iommu.element);
      else if (iommu && bus.vsmmuChange === 'set') {
        for (const name of VSMMU_ATTRIBUTES) {
          const value = bus.vsmmu[name];
          if (value !== undefined) set(iommu.element, spellingOf(name, dialect), dialectValue(name, value, dialect));
        }
        for (const { attribute, name } of iommu.spellings) {
          if (name !== spellingOf(attribute, dialect)) set(iommu.element, name, NONE);
        }
      }
    }
  }
}
