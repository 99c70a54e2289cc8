import { deviceWithoutIommufd as diagnostic } from '../../diagnostics/vsmmu.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `vfio-pci endpoint devices without an iommufd backend not allowed when using arm-smmuv3,accel=on`. */
export const deviceWithoutIommufd: Rule = ({ accelerated, usesIommufd, location }) =>
  accelerated.flatMap((vsmmu) =>
    vsmmu.hostDevices
      .filter((device) => !usesIommufd(device))
      .map(({ bdf, element }) =>
        diagnostic({ device: bdf, vsmmu: nameOf(vsmmu), location: location(element, 'driver') }),
      ),
  );
