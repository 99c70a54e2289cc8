import { commandlineConflicts } from '../../domain/commandline.js';
import type { Rule } from '../inspection.js';

/** Checks the arguments of `<qemu:commandline>`, which no other rule reads. */
export const commandlineConflict: Rule = ({ domain, vsmmus }) =>
  vsmmus.length > 0 ? commandlineConflicts(domain).map((found) => ({ ...found, severity: 'warning' })) : [];
