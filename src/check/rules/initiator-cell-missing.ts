import { missingCells } from '../../domain/numa.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: `Specified node 5 is invalid`; libvirt 12.8 accepts it. */
export const initiatorCellMissing: Rule = ({ domain }) => missingCells(domain.hostDevices, domain.numa);
