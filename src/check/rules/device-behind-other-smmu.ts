import { deviceBehindOtherSmmu as diagnostic } from '../../diagnostics/vsmmu.js';
import { nameOf, type Rule } from '../inspection.js';

/**
 * QEMU 11.1 starts a guest with devices of two SMMUs behind one vSMMU. In the guest, every device behind it then fails, even
 * those in the right place (`Failed to install all STEs`).
 */
export const deviceBehindOtherSmmu: Rule = ({ accelerated, host, location }) =>
  accelerated.flatMap((vsmmu) =>
    vsmmu.hostDevices.flatMap(({ bdf, element }) => {
      const device = host?.device(bdf);
      if (!device || host?.smmus.length === 0 || device.smmu === (vsmmu.owner ?? '')) return [];
      const { smmu } = device;
      const where = location(element, 'address');
      return [diagnostic({ device: bdf, smmu, vsmmu: nameOf(vsmmu), serves: vsmmu.owner, location: where })];
    }),
  );
