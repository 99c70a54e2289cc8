import type { PciDevice } from '../generated/topology.js';
import { Host } from './host.js';

/** The placeholders for driver names: for a device that is bound to VFIO, and for any other device. */
const DRIVERS = { vfio: 'vfio-pci', host: 'host-driver' } as const;

/**
 * Replaces driver names, which can identify a company, with placeholders, and removes the comment. A snapshot contains no serial
 * number, MAC address or host name. Addresses, classes, IDs, IOMMU groups, SMMUs and NUMA nodes stay, so that plans do not
 * change.
 */
export function anonymise({ topology }: Host): Host {
  const { version, addressBits, smmus, devices, nodes } = topology;
  return new Host({
    version,
    ...(addressBits !== undefined && { addressBits }),
    smmus,
    devices: devices.map(withoutNames),
    nodes,
  });
}

/** Keeps only the listed properties, so that a property that is added to snapshots later is not published by mistake. */
function withoutNames(from: PciDevice): PciDevice {
  const { driver, vfio, directRegions, dataDirect } = from;
  return {
    bdf: from.bdf,
    vendor: from.vendor,
    device: from.device,
    class: from.class,
    driver: driver === null ? null : vfio ? DRIVERS.vfio : DRIVERS.host,
    vfio,
    bridge: from.bridge,
    smmu: from.smmu,
    group: from.group,
    ...(directRegions && { directRegions }),
    node: from.node,
    parent: from.parent,
    physfn: from.physfn,
    ...(dataDirect && { dataDirect }),
    bars: from.bars,
  };
}
