import { diagnostic } from '../../diagnostics.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `vfio-pci endpoint devices without an iommufd backend not allowed when using arm-smmuv3,accel=on`. */
export const deviceWithoutIommufd: Rule = (inspection) => {
  const byDefault = inspection.domain.iommufd?.enabled === true ? 'yes' : 'no';
  return inspection.accelerated.flatMap((vsmmu) =>
    vsmmu.hostDevices
      .filter(({ iommufd = byDefault }) => iommufd === 'no')
      .map(({ bdf, element }) =>
        diagnostic('device-without-iommufd', `${bdf} is behind ${nameOf(vsmmu)} and does not use iommufd`, {
          place: inspection.place(element, 'driver'),
        }),
      ),
  );
};
