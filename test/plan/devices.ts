import type { Bar, PciDevice } from '../../src/generated/topology.js';

/** A device of a host, with default values for what is not given. */
export function pciDevice(given: Partial<PciDevice>): PciDevice {
  return {
    bdf: '0000:01:00.0' as PciDevice['bdf'],
    vendor: '0x144d',
    device: '0xa80a',
    class: '0x010802',
    driver: 'vfio-pci',
    vfio: true,
    bridge: false,
    smmu: null,
    group: null,
    node: null,
    parent: null,
    physfn: null,
    bars: [],
    ...given,
  };
}

/** A 64-bit prefetchable memory BAR of this size in bytes. */
export function largeBar(size: number, index = 0): Bar {
  return { index, size, kind: 'memory', bits: 64, prefetchable: true };
}
