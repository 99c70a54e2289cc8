import { groupsOf, viability } from '../../plan/verdict.js';
import type { Rule } from '../inspection.js';

/** VFIO hands out a group only when no driver of the host's holds another device of it. */
export const groupNotViable: Rule = ({ domain, host }) =>
  host ? [...groupsOf(domain, host)].flatMap(([group, members]) => viability(group, members, host)) : [];
