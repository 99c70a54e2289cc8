import { domainWithoutGicv3 as diagnostic } from '../../diagnostics/domain.js';
import type { Rule } from '../inspection.js';

/**
 * The interrupts of devices behind a vSMMU go through the ITS, which only GICv3 and newer have. libvirt chooses GICv3
 * if the domain names no version.
 */
export const domainWithoutGicv3: Rule = ({ accelerated, domain, location }) => {
  const gic = domain.document.root.child('features')?.child('gic');
  const version = gic?.attribute('version') ?? 'host';
  if (!gic || accelerated.length === 0 || !/^[12]$/.test(version)) return [];
  return [diagnostic({ version, location: location(gic) })];
};
