import { diagnostic } from '../../diagnostics.js';
import { missingValues } from '../../plan/vsmmu.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `accel=on with 'auto' properties requires at least one cold-plugged VFIO device`. */
export const vsmmuValuesMissing: Rule = ({ accelerated, target, location }) =>
  accelerated
    .filter(({ hostDevices }) => hostDevices.length === 0)
    .flatMap((vsmmu) => {
      const missing = missingValues(vsmmu.iommu.values, target);
      if (missing.length === 0) return [];
      const message = `${nameOf(vsmmu)} has no device to read ${missing.join(', ')} off`;
      const hint = 'give these values in its <driver>, or remove that <iommu>';
      return [diagnostic('vsmmu-values-missing', message, { location: location(vsmmu.iommu.element, 'driver'), hint })];
    });
