import { groupBehindVsmmu as diagnostic } from '../../diagnostics/groups.js';
import { portsWithoutAcs } from '../../host/groups.js';
import { nameOf, type Rule } from '../inspection.js';

/**
 * QEMU 11.1 refuses a second device of an IOMMU group behind an accelerated vSMMU. Even with one device, Linux 7.2 fails as
 * soon as the guest enables translation, because it attaches the whole group, including PCI bridges
 * (`error attach … No such file or directory`).
 */
export const groupBehindVsmmu: Rule = ({ accelerated, host, location }) =>
  accelerated.flatMap((vsmmu) =>
    vsmmu.hostDevices.flatMap(({ bdf, element }) => {
      const device = host?.device(bdf);
      const others = device ? host?.groupMates(device) : undefined;
      const group = device?.group ?? null;
      if (!device || !others || others.length === 0 || group === null) return [];
      const ports = portsWithoutAcs([device, ...others]);
      const where = location(element, 'address');
      return [
        diagnostic({ device: bdf, vsmmu: nameOf(vsmmu), group, others, portsWithoutAcs: ports, location: where }),
      ];
    }),
  );
