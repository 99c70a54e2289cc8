import { diagnostic } from '../../diagnostics.js';
import { nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1: `Emulated endpoint devices are not allowed when using arm-smmuv3,accel=on`. */
export const emulatedBehindVsmmu: Rule = (inspection) =>
  inspection.accelerated.flatMap((vsmmu) =>
    vsmmu.emulated.map(({ name, element }) =>
      diagnostic('emulated-behind-vsmmu', `<${name}> is behind ${nameOf(vsmmu)}`, {
        place: inspection.place(element, 'address'),
      }),
    ),
  );
