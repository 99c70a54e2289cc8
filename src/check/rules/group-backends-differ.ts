import { groupBackendsDiffer as diagnostic } from '../../diagnostics/groups.js';
import { groupsOf } from '../../host/groups.js';
import type { Rule } from '../inspection.js';

/**
 * Linux gives an IOMMU group to one owner, either through iommufd or through the group's own file. The other
 * gets `Device or resource busy`.
 */
export const groupBackendsDiffer: Rule = ({ domain, host, usesIommufd, location }) => {
  if (!host) return [];
  return groupsOf(domain, host).flatMap(({ group, given }) => {
    const first = given.find(usesIommufd);
    const other = given.find((device) => !usesIommufd(device));
    if (!first || !other || first.bdf === other.bdf) return [];
    const where = location(other.element, 'driver');
    return [diagnostic({ group, withIommufd: first.bdf, without: other.bdf, location: where })];
  });
};
