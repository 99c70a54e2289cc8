import { guestAddressAttributes } from '../domain/address.js';
import { VSMMU_ATTRIBUTES } from '../domain/iommu.js';
import type { Bridge, GuestAddress, Port } from '../generated/plan.js';
import type { NewElement } from '../xml/editor.js';

/** The elements that a plan adds, with children and attributes in the order in which libvirt 12.8 prints them. */

/** A bridge: `<controller type='pci' model='pcie-expander-bus'>`. */
export function expanderBus(bridge: Bridge): NewElement {
  return pciController(bridge.controllerIndex, 'pcie-expander-bus', [
    { name: 'model', attributes: [['name', 'pxb-pcie']] },
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

/** A port: `<controller type='pci' model='pcie-root-port'>`. */
export function rootPort(port: Port): NewElement {
  const { slot, function: func } = port.address;
  return pciController(port.controllerIndex, 'pcie-root-port', [
    { name: 'model', attributes: [['name', 'pcie-root-port']] },
    {
      name: 'target',
      attributes: [
        ['chassis', String(port.chassis)],
        // What libvirt itself gives a port: its slot and function in one number.
        ['port', `0x${((slot << 3) | func).toString(16)}`],
      ],
    },
    ...alias(port.alias),
    address(port.address, port.multifunction),
  ]);
}

/** A vSMMU: `<iommu model='smmuv3'>`. */
export function vsmmu({ controllerIndex, vsmmu: values }: Bridge): NewElement {
  const given = VSMMU_ATTRIBUTES.flatMap((name): [string, string][] => {
    const value = values[name];
    return value === undefined ? [] : [[name, value]];
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
