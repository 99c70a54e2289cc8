import { diagnostic } from '../../diagnostics.js';
import { groupsOf } from '../../plan/verdict.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1 and Linux: of one IOMMU group only one endpoint can be in a guest that has it behind an accelerated vSMMU. */
export const groupBehindVsmmu: Rule = ({ domain, host, accelerated, place }) => {
  if (!host) return [];
  const translated = new Set(accelerated.flatMap(({ hostDevices }) => hostDevices));
  return [...groupsOf(domain, host)].flatMap(([group, members]) => {
    const given = members.filter((device) => !device.unassigned);
    const [first] = given.filter((device) => translated.has(device));
    const names = [...new Set(given.map(({ bdf }) => bdf))];
    if (!first || names.length < 2) return [];
    const message = `${names.join(' and ')} share IOMMU group ${group}, and ${first.bdf} is behind an accelerated vSMMU`;
    return [diagnostic('group-behind-vsmmu', message, { place: place(first.element, 'address') })];
  });
};
