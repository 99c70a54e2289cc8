import { type Domain, parseDomain } from '../../src/domain/domain.js';
import type { PciDevice } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';

/** Short functions that write domains and hosts for tests. */

/** An aarch64 domain with these devices. */
export function domainWith(...devices: string[]): Domain {
  return parseDomain(`<domain type='kvm'>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    ${devices.join('\n    ')}
  </devices>
</domain>
`);
}

/** `<address type='pci'>`: the bus is a controller index. */
export const at = (bus: number, slot = 0, func = 0): string =>
  `<address type='pci' bus='${bus}' slot='${slot}' function='${func}'/>`;

/** A port on `pcie.0`, in the slot of its index, or on an expander bus. */
export const port = (index: number, address = at(0, index), chassis = index): string =>
  `<controller type='pci' index='${index}' model='pcie-root-port'><target chassis='${chassis}'/>${address}</controller>`;

/** An expander bus in the slot of its index. */
export const expander = (index: number, busNr: number | undefined, alias = ''): string => {
  const target = busNr === undefined ? '' : `<target busNr='${busNr}'/>`;
  const name = alias === '' ? '' : `<alias name='${alias}'/>`;
  return `<controller type='pci' index='${index}' model='pcie-expander-bus'>${target}${name}${at(0, index)}</controller>`;
};

/** A host device, by its bus number on the host. */
export const hostdev = (bus: number, rest = ''): string =>
  `<hostdev mode='subsystem' type='pci'><source><address bus='${bus}'/></source>${rest}</hostdev>`;

/** An emulated device. */
export const rng = (address = ''): string => `<rng model='virtio'>${address}</rng>`;

/** A vSMMU of an expander bus. */
export const vsmmu = (bus: number, values = "accel='on'"): string =>
  `<iommu model='smmuv3'><driver pciBus='${bus}' ${values}/></iommu>`;

/** Properties of a host device that differ from the defaults. */
export interface Known {
  readonly smmu: number | null;
  readonly group?: number | null;
  readonly vfio?: boolean;
}

export const smmuName = (n: number): string => `smmu3.0x${(0xc000000 + n * 0x20000).toString(16).padStart(16, '0')}`;

/** A host with this number of SMMUs and a device on each given bus. By default the group number is the bus number. */
export function hostWith(smmus: number, devices: Readonly<Record<number, Known>>): Host {
  return new Host({
    version: 1,
    smmus: Array.from({ length: smmus }, (_, n) => ({ name: smmuName(n), node: null })),
    devices: Object.entries(devices).map(([bus, { smmu, group = Number(bus), vfio = true }]): PciDevice => {
      return {
        bdf: `0000:${Number(bus).toString(16).padStart(2, '0')}:00.0` as PciDevice['bdf'],
        vendor: '0x8086',
        device: '0x10d3',
        class: '0x020000',
        driver: vfio ? 'vfio-pci' : 'e1000e',
        vfio,
        bridge: false,
        smmu: smmu === null ? null : smmuName(smmu),
        group,
        node: null,
        parent: null,
        physfn: null,
        bars: [],
      };
    }),
    nodes: [],
  });
}
