import { findDuplicates } from '../../domain/duplicates.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 refuses to define a domain with two controllers of one index, two devices at one address, one host device twice. */
export const duplicates: Rule = ({ domain }) => findDuplicates(domain);
