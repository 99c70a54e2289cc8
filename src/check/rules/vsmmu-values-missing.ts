import { vsmmuValuesMissing as diagnostic } from '../../diagnostics/vsmmu.js';
import { missingValues } from '../../plan/vsmmu.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `accel=on with 'auto' properties requires at least one cold-plugged VFIO device`. */
export const vsmmuValuesMissing: Rule = ({ accelerated, target, location }) =>
  accelerated
    .filter(({ hostDevices }) => hostDevices.length === 0)
    .flatMap((vsmmu) => {
      const missing = missingValues(vsmmu.iommu.values, target);
      if (missing.length === 0) return [];
      const where = location(vsmmu.iommu.element, 'driver');
      return [diagnostic.present({ vsmmu: nameOf(vsmmu), names: missing, location: where })];
    });
