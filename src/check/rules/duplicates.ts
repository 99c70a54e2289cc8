import { findDuplicates } from '../../domain/duplicates.js';
import type { Rule } from '../inspection.js';

/**
 * libvirt 12.8 refuses to define a domain with two controllers with the same index, two devices at the same address,
 * or the same host device twice.
 */
export const duplicates: Rule = ({ domain }) => findDuplicates(domain);
