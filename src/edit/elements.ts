import { type Bdf, bdfAttributes, guestAddressAttributes } from '../domain/address.js';
import { type SsidsizeSpelling, VSMMU_ATTRIBUTES } from '../domain/iommu.js';
import type { Bridge, GuestAddress, Port } from '../generated/plan.js';
import { groupMemberAlias } from '../plan/alias.js';
import type { Attachment } from '../plan/attach.js';
import type { NewElement } from '../xml/editor.js';

/** The elements that a plan adds, with children and attributes in the order in which libvirt 12.8 prints them. */

/** A bridge: `<controller type='pci' model='pcie-expander-bus'>`. */
export function expanderBus(bridge: Bridge): NewElement {
  return pciController(bridge.controllerIndex, 'pcie-expander-bus', [
    { name: 'model', attributes: [['name', DEVICES['pcie-expander-bus']]] },
    {
      name: 'target',
      attributes: [['busNr', String(bridge.busNr)]],
      children: bridge.node === null ? [] : [cellNode(bridge.node)],
    },
    ...alias(bridge.alias),
    ...(bridge.address ? [address(bridge.address)] : []),
  ]);
}

/** The NUMA cell of a bridge, in its `<target>`. */
export function cellNode(cell: number): NewElement {
  return { name: 'node', text: String(cell) };
}

/** QEMU's device for each model of a controller that we know, which is what libvirt 12.8 takes where none is named. */
export const DEVICES: Readonly<Record<Port['model'] | 'pcie-expander-bus', string>> = {
  'pcie-expander-bus': 'pxb-pcie',
  'pcie-root-port': 'pcie-root-port',
  'pcie-switch-upstream-port': 'x3130-upstream',
  'pcie-switch-downstream-port': 'xio3130-downstream',
};

/** A port: `<controller type='pci' model='pcie-root-port'>`, or one of a switch. */
export function pciePort(port: Port): NewElement {
  return pciController(port.controllerIndex, port.model, [
    { name: 'model', attributes: [['name', DEVICES[port.model]]] },
    ...(port.chassis === null ? [] : [portTarget(port.chassis, port.address)]),
    ...alias(port.alias),
    address(port.address, port.multifunction),
  ]);
}

/** The `<target>` of a port. */
export function portTarget(chassis: number, { slot, function: func }: GuestAddress): NewElement {
  return {
    name: 'target',
    attributes: [
      ['chassis', String(chassis)],
      // What libvirt itself gives a port: its slot and function in one number.
      ['port', `0x${((slot << 3) | func).toString(16)}`],
    ],
  };
}

/** A host device to be plugged in: `<hostdev>` for `virsh attach-device`. */
export function attachedDevice({ bdf, address: at, iommufd }: Attachment): NewElement {
  const driver: NewElement = { name: 'driver', attributes: [['iommufd', 'yes']] };
  return hostdev(bdf, [address(at)], iommufd ? [driver] : []);
}

/** A host device that is held for the guest and not given to it: `<hostdev>` with `<address type='unassigned'/>` (libvirt 6.0). */
export function companion(bdf: Bdf): NewElement {
  return hostdev(bdf, [...alias(groupMemberAlias(bdf)), { name: 'address', attributes: [['type', 'unassigned']] }]);
}

/** A `<hostdev>` for a PCI device that libvirt binds to vfio itself, with these children after and before its source. */
export function hostdev(bdf: Bdf, after: readonly NewElement[], before: readonly NewElement[] = []): NewElement {
  const source = { name: 'source', children: [{ name: 'address', attributes: bdfAttributes(bdf) }] };
  return {
    name: 'hostdev',
    attributes: [
      ['mode', 'subsystem'],
      ['type', 'pci'],
      ['managed', 'yes'],
    ],
    children: [...before, source, ...after],
  };
}

/** A vSMMU: `<iommu model='smmuv3'>`. */
export function vsmmu({ controllerIndex, vsmmu: values }: Bridge, ssidsize: SsidsizeSpelling): NewElement {
  const given = VSMMU_ATTRIBUTES.flatMap((name): [string, string][] => {
    const value = values[name];
    return value === undefined ? [] : [[name === 'ssidsize' ? ssidsize : name, value]];
  });
  return {
    name: 'iommu',
    attributes: [['model', 'smmuv3']],
    children: [{ name: 'driver', attributes: [['pciBus', String(controllerIndex)], ...given] }],
  };
}

function pciController(index: number, model: string, children: readonly NewElement[]): NewElement {
  return {
    name: 'controller',
    attributes: [
      ['type', 'pci'],
      ['index', String(index)],
      ['model', model],
    ],
    children,
  };
}

function alias(name: string | null): NewElement[] {
  return name === null ? [] : [{ name: 'alias', attributes: [['name', name]] }];
}

function address(at: GuestAddress, multifunction = false): NewElement {
  return { name: 'address', attributes: guestAddressAttributes(at, multifunction) };
}
