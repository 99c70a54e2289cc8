import { diagnostic } from '../../diagnostics.js';
import { acsHint, nameMembers } from '../../plan/verdict.js';
import { nameOf, type Rule } from '../inspection.js';

/**
 * QEMU 11.1 refuses a second device of an IOMMU group behind an accelerated vSMMU. With one device, Linux 7.2 fails as soon as
 * the guest turns translation on, since it attaches the whole group, PCI bridges too (`error attach … No such file or directory`).
 */
export const groupBehindVsmmu: Rule = ({ accelerated, host, location }) =>
  accelerated.flatMap((vsmmu) =>
    vsmmu.hostDevices.flatMap(({ bdf, element }) => {
      const device = host?.device(bdf);
      const mates = device ? host?.groupMates(device) : undefined;
      if (!device || !mates || mates.length === 0) return [];
      const message = `${bdf} is behind ${nameOf(vsmmu)}, and its IOMMU group ${device.group} also has ${nameMembers(mates)}`;
      return [
        diagnostic('group-behind-vsmmu', message, {
          location: location(element, 'address'),
          hint: `move it to pcie.0, as \`vsmmu rewrite\` does; ${acsHint([device, ...mates])}`,
        }),
      ];
    }),
  );
