import { commandlineConflicts } from '../../plan/applicable.js';
import type { Rule } from '../inspection.js';

/** What is added beside libvirt is looked at by no other rule. */
export const commandlineConflict: Rule = ({ domain, vsmmus }) =>
  vsmmus.length > 0 ? commandlineConflicts(domain).map((found) => ({ ...found, severity: 'warning' })) : [];
