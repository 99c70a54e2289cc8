import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { type Iommu, VSMMU_ATTRIBUTES, type VsmmuValues } from '../domain/iommu.js';
import { PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Bridge, Device, GuestAddress, Plan } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';
import { companion, expanderBus, pciePort, vsmmu } from './elements.js';
import { AFTER_IOMMUS, firstOf, insertDevice, lastOf } from './insert.js';
import { editNuma } from './numa.js';
import { reserveMemory } from './overrides.js';
import { editPciHole64 } from './pcihole64.js';
import { setAddress } from './set-address.js';
import { applyWithRecord } from './undo/write-record.js';

/**
 * Carries out a plan: the domain's text with the edits that the plan asks for, and every other byte as it was.
 * Decides nothing.
 * @param domain the one that the plan was made of
 */
export function rewrite(domain: Domain, plan: Plan): string {
  if (!plan.changed) return domain.document.text;
  return new Rewriter(domain, plan).rewrite();
}

/** The children of `<devices>` that libvirt 12.8 prints after `<hostdev>`. */
const AFTER_HOSTDEVS: readonly string[] =
  'redirdev redirfilter hub watchdog memballoon rng nvram panic shmem memory iommu vsock crypto pstore'.split(' ');

/** The children of `<domain>` that libvirt 12.8 prints after `<iommufd>`. */
const AFTER_IOMMUFD: readonly string[] = 'resource sysinfo bootloader os idmap features cpu clock devices'.split(' ');

class Rewriter {
  readonly #domain: Domain;
  readonly #plan: Plan;
  readonly #editor: XmlEditor;

  constructor(domain: Domain, plan: Plan) {
    this.#domain = domain;
    this.#plan = plan;
    this.#editor = domain.document.edit();
  }

  rewrite(): string {
    editPciHole64(this.#editor, this.#domain, this.#plan);
    editNuma(this.#editor, this.#domain, this.#plan);
    this.#addControllers();
    for (const [i, device] of this.#plan.devices.entries()) {
      const present = this.#domain.hostDevices[i];
      if (present) this.#editDevice(present, device);
    }
    this.#enableIommufd();
    this.#addCompanions();
    this.#removeCompanions();
    this.#renumber();
    this.#editIommus();
    reserveMemory(
      this.#domain,
      this.#editor,
      this.#plan.bridges.flatMap((bridge) => bridge.ports),
    );
    return applyWithRecord(this.#domain, this.#editor);
  }

  /** After the last PCI controller, as libvirt sorts them: by index. */
  #addControllers(): void {
    const { bridges, rootPorts } = this.#plan;
    const added = [
      ...rootPorts.map((port) => ({ index: port.controllerIndex, element: pciePort(port) })),
      ...bridges.flatMap((bridge) => [
        ...(bridge.kept ? [] : [{ index: bridge.controllerIndex, element: expanderBus(bridge) }]),
        ...bridge.ports.filter((p) => !p.kept).map((p) => ({ index: p.controllerIndex, element: pciePort(p) })),
      ]),
    ].sort((a, b) => a.index - b.index);
    const last = this.#domain.controllers.at(-1)?.element ?? lastOf(this.#domain, ['controller', 'disk', 'emulator']);
    for (const { element } of added) insertDevice(this.#domain, this.#editor, element, last);
  }

  #editDevice(present: HostDevice, device: Device): void {
    const { to, from, multifunction } = device;
    if (to && (!sameAddress(to, from) || multifunction !== present.multifunction)) {
      setAddress(this.#editor, present.element, to, multifunction);
    }
    if (device.iommufd !== 'yes' || present.iommufd === 'yes') return;
    const driver = present.element.child('driver');
    if (driver) this.#editor.setAttribute(driver, 'iommufd', 'yes');
    else {
      const element: NewElement = { name: 'driver', attributes: [['iommufd', 'yes']] };
      const source = present.element.child('source');
      // Where libvirt 12.8 prints it.
      if (source) this.#editor.insertBefore(source, element);
    }
  }

  /** `<iommufd>` below `<domain>`, where libvirt 12.8 prints it: after everything of memory, CPUs and NUMA. */
  #enableIommufd(): void {
    if (this.#plan.iommufd === 'none') return;
    const { document, iommufd } = this.#domain;
    const next = document.root.children.find((e) => AFTER_IOMMUFD.includes(e.name));
    const element: NewElement = { name: 'iommufd', attributes: [['enabled', 'yes']] };
    if (iommufd) this.#editor.setAttribute(iommufd.element, 'enabled', 'yes');
    else if (next) this.#editor.insertBefore(next, element);
    else this.#editor.append(document.root, element);
  }

  /** After the last `<hostdev>`, where libvirt 12.8 prints them. */
  #addCompanions(): void {
    const [last, next] = [lastOf(this.#domain, ['hostdev']), firstOf(this.#domain, AFTER_HOSTDEVS)];
    for (const bdf of this.#plan.companions) insertDevice(this.#domain, this.#editor, companion(bdf), last, next);
  }

  #removeCompanions(): void {
    const { companions } = this.#plan.leftovers;
    for (const { bdf, element } of this.#domain.hostDevices) if (companions.includes(bdf)) this.#editor.remove(element);
  }

  /**
   * Devices that become function 0 of their slot, and emulated ones that go to another bus: those were behind an accelerated
   * vSMMU, where QEMU refuses them, so `revert` leaves them where they go now.
   */
  #renumber(): void {
    if (this.#plan.renumbered.length === 0) return;
    const tree = new PciTree(this.#domain);
    for (const { from, to, multifunction } of this.#plan.renumbered) {
      const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
      if (occupant) setAddress(this.#editor, occupant.element, to, multifunction);
    }
  }

  #editIommus(): void {
    const { bridges, machineIommu } = this.#plan;
    const root = this.#domain.iommus.find((i) => i.pciBus === undefined || i.pciBus === ROOT_BUS);
    if (root && machineIommu === 'drop') this.#editor.remove(root.element);
    if (root && machineIommu === 'pcie-root') this.#setDriver(root.element, [['pciBus', String(ROOT_BUS)]]);
    for (const bridge of bridges) {
      const iommu = this.#domain.iommus.find((i) => i.pciBus === bridge.controllerIndex);
      if (bridge.vsmmuChange === 'add') this.#addIommu(bridge);
      else if (iommu && bridge.vsmmuChange === 'remove') this.#editor.remove(iommu.element);
      else if (iommu && bridge.vsmmuChange === 'set') {
        this.#setVsmmu(iommu, bridge.vsmmu);
      }
    }
  }

  /** Gives a vSMMU its values, `ssidsize` in the target's spelling and in no other. */
  #setVsmmu({ element, values, spellings }: Iommu, wanted: VsmmuValues): void {
    const { ssidsizeAttribute } = this.#plan;
    const changed = changedValues(values, wanted).filter(([name]) => name !== 'ssidsize');
    const { ssidsize } = wanted;
    if (ssidsize !== undefined && element.child('driver')?.attribute(ssidsizeAttribute) !== ssidsize) {
      changed.push([ssidsizeAttribute, ssidsize]);
    }
    this.#setDriver(element, changed);
    const driver = element.child('driver');
    for (const name of spellings) {
      if (driver && name !== ssidsizeAttribute) this.#editor.removeAttribute(driver, name);
    }
  }

  #addIommu(bridge: Bridge): void {
    const element = vsmmu(bridge, this.#plan.ssidsizeAttribute);
    // QEMU 11.1 accepts a virtio IOMMU only after the SMMUs.
    const virtio = this.#domain.iommus.find(({ model }) => model === 'virtio')?.element;
    const last = virtio ? undefined : this.#domain.iommus.at(-1)?.element;
    insertDevice(this.#domain, this.#editor, element, last, virtio ?? firstOf(this.#domain, AFTER_IOMMUS));
  }

  #setDriver(iommu: XmlElement, values: readonly (readonly [string, string])[]): void {
    const driver = iommu.child('driver');
    if (!driver) this.#editor.append(iommu, { name: 'driver', attributes: values });
    else for (const [name, value] of values) this.#editor.setAttribute(driver, name, value);
  }
}

function sameAddress(a: GuestAddress, b: GuestAddress | null): boolean {
  return b !== null && a.bus === b.bus && a.slot === b.slot && a.function === b.function;
}

function changedValues(before: VsmmuValues, after: VsmmuValues): [string, string][] {
  return VSMMU_ATTRIBUTES.flatMap((name): [string, string][] => {
    const value = after[name];
    return value === undefined || value === before[name] ? [] : [[name, value]];
  });
}
