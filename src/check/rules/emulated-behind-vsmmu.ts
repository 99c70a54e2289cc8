import { emulatedBehindVsmmu as diagnostic } from '../../diagnostics/devices.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import { type Inspection, nameOf, type Rule, type Vsmmu } from '../inspection.js';

/** QEMU 11.1: `Emulated endpoint devices are not allowed when using arm-smmuv3,accel=on`. */
export const emulatedBehindVsmmu: Rule = (inspection) =>
  inspection.accelerated.flatMap((vsmmu) =>
    behind(inspection, vsmmu).map(({ name, element }) =>
      diagnostic({ element: name, vsmmu: nameOf(vsmmu), location: inspection.location(element, 'address') }),
    ),
  );

/**
 * Returns the emulated devices behind a vSMMU. libvirt puts a device without an address on a port of `pcie.0`, so it
 * is behind an SMMU of that bus.
 */
function behind({ domain }: Inspection, { bus, emulated }: Vsmmu): Vsmmu['emulated'] {
  return bus === ROOT_BUS ? [...emulated, ...domain.otherDevices.filter((device) => device.awaitsAddress)] : emulated;
}
