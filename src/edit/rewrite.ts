import type { Domain } from '../domain/domain.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import { dialectValue, spellingOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { Plan } from '../generated/plan.js';
import { DomainEditor } from './domain-editor.js';
import { expanderBus, groupMember, insert, pciePort, vsmmu } from './elements.js';
import { editNuma } from './numa.js';
import { reserveMemory } from './overrides.js';
import { formatPlace, NONE } from './properties.js';
import { applyWithRecord, type Edited } from './undo/write-record.js';

/**
 * Applies a plan: returns the domain's text with the plan's edits, and every other byte unchanged. Makes no decisions.
 * @param domain the domain that the plan was made for
 */
export function rewrite(domain: Domain, plan: Plan): string {
  return applyPlan(domain, plan).text;
}

/** Applies a plan like `rewrite`. */
export function applyPlan(domain: Domain, plan: Plan): Edited {
  const { devicesElement, document, controllers, hostDevices, iommus } = domain;
  const { expanderBuses, dialect } = plan;
  const editor = new DomainEditor(domain);
  if (plan.pcihole64) {
    if (!controllers.some(({ model }) => model === 'pcie-root')) editor.added.controllers.push(ROOT_BUS);
    editor.set(document.root, 'pcihole64', String(plan.pcihole64.after));
  }
  editNuma(editor, plan);
  editControllers();
  editDevices();
  if (plan.iommufd !== 'none') editor.set(document.root, 'iommufd', 'yes');
  if (plan.settings.ras) editor.set(document.root, 'ras', 'on');
  if (plan.settings.hugePages !== null) editor.set(document.root, 'hugePages', String(plan.settings.hugePages));
  editIommus();
  const ports = expanderBuses.flatMap((bus) => bus.ports);
  reserveMemory(domain, editor, ports);
  // Do not use `plan.changed`: a change that the plan did not count would be lost silently.
  return applyWithRecord(editor);

  /** Adds controllers after the last PCI controller, sorted by index as in libvirt, and sets the cells of kept expander buses. */
  function editControllers(): void {
    const added = [
      ...[...plan.rootPorts, ...expanderBuses.flatMap((bus) => bus.ports.filter((port) => !port.kept))].map((port) => {
        return { index: port.controllerIndex, element: pciePort(port) };
      }),
      ...expanderBuses.flatMap((b) => (b.kept ? [] : [{ index: b.controllerIndex, element: expanderBus(b) }])),
    ].sort((a, b) => a.index - b.index);
    for (const { index, element } of added) {
      insert(editor, devicesElement, element, controllers.at(-1)?.element);
      editor.added.controllers.push(index);
    }
    for (const { kept, controllerIndex, node } of expanderBuses) {
      const present = controllers.find((c) => c.index === controllerIndex)?.element;
      if (kept && node !== null) editor.set(present, 'node', String(node));
    }
  }

  function editDevices(): void {
    const withCells = new Set(plan.numa.initiators.map(({ device }) => device));
    const romBars = new Set(plan.settings.romBars);
    const byBdf = new Map(hostDevices.map((device) => [device.bdf, device.element]));
    for (const { bdf, to, multifunction, iommufd, nodeset } of plan.devices) {
      const present = byBdf.get(bdf);
      // Before the nodeset: libvirt 12.8 prints <rom> before <acpi>.
      if (romBars.has(bdf)) editor.set(present, 'romBar', 'off');
      if (nodeset !== null && withCells.has(bdf)) editor.set(present, 'nodeset', nodeset);
      if (to) editor.set(present, 'address', formatPlace({ address: to, multifunction }));
      if (iommufd === 'yes') editor.set(present, 'iommufd', 'yes');
    }
    for (const bdf of plan.groupMembers) insert(editor, devicesElement, groupMember(bdf));
    editor.added.hostdevs.push(...plan.groupMembers);
    for (const { bdf, element } of hostDevices) if (plan.orphaned.groupMembers.includes(bdf)) editor.remove(element);
    // `renumbered` lists devices that become function 0 of their slot, and emulated devices that move to another bus. The latter
    // were behind an accelerated vSMMU, where QEMU refuses them, so `revert` leaves them at their new address.
    const tree = new PciTree(domain);
    for (const { from, to, multifunction } of plan.renumbered) {
      const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
      editor.set(occupant?.element, 'address', formatPlace({ address: to, multifunction }));
    }
  }

  function editIommus(): void {
    const root = iommus.find(({ pciBus = ROOT_BUS }) => pciBus === ROOT_BUS)?.element;
    if (root && plan.machineIommu === 'drop') editor.remove(root);
    if (plan.machineIommu === 'pcie-root') editor.set(root, 'pciBus', String(ROOT_BUS));
    // QEMU 11.1 accepts a virtio IOMMU only after the SMMUs.
    const virtio = iommus.find(({ model }) => model === 'virtio')?.element;
    for (const bus of expanderBuses) {
      const iommu = iommus.find((i) => i.pciBus === bus.controllerIndex);
      if (bus.vsmmuChange === 'add') editor.added.iommus.push(bus.controllerIndex);
      if (bus.vsmmuChange === 'add' && virtio) editor.insertBefore(virtio, vsmmu(bus, dialect));
      else if (bus.vsmmuChange === 'add') insert(editor, devicesElement, vsmmu(bus, dialect));
      else if (iommu && bus.vsmmuChange === 'remove') editor.remove(iommu.element);
      else if (iommu && bus.vsmmuChange === 'set') {
        for (const name of VSMMU_ATTRIBUTES) {
          const value = bus.vsmmu[name];
          if (value !== undefined)
            editor.set(iommu.element, spellingOf(name, dialect), dialectValue(name, value, dialect));
        }
        for (const { attribute, name } of iommu.spellings) {
          if (name !== spellingOf(attribute, dialect)) editor.set(iommu.element, name, NONE);
        }
      }
    }
  }
}
