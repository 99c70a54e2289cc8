import { diagnostic } from '../../diagnostics.js';
import { groupsOf } from '../../plan/verdict.js';
import type { Rule } from '../inspection.js';

/** Linux gives an IOMMU group to one owner, by iommufd or by the group's own file: `Device or resource busy` for the other. */
export const groupBackendsDiffer: Rule = ({ domain, host, usesIommufd, place }) => {
  if (!host) return [];
  return [...groupsOf(domain, host)].flatMap(([group, members]) => {
    const given = members.filter((device) => !device.unassigned);
    const with_ = given.filter(usesIommufd);
    const [other] = given.filter((device) => !usesIommufd(device));
    if (!with_[0] || !other) return [];
    const message = `${with_[0].bdf} uses iommufd and ${other.bdf} does not, and they share IOMMU group ${group}`;
    return [diagnostic('group-backends-differ', message, { place: place(other.element, 'driver') })];
  });
};
