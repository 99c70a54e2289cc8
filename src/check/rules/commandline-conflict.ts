import { commandlineConflicts } from '../../plan/applicable.js';
import type { Rule } from '../inspection.js';

/** No other rule sees what `<qemu:commandline>` adds. */
export const commandlineConflict: Rule = ({ domain, vsmmus }) =>
  vsmmus.length > 0 ? commandlineConflicts(domain).map((found) => ({ ...found, severity: 'warning' })) : [];
