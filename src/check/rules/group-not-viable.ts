import { groupsOf, viabilityDiagnostics } from '../../host/groups.js';
import type { Rule } from '../inspection.js';

/** VFIO assigns a group only if no host driver holds another device of it. */
export const groupNotViable: Rule = ({ domain, host }) =>
  host ? groupsOf(domain, host).flatMap(viabilityDiagnostics) : [];
