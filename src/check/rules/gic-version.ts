import { domainWithoutGicv3 as diagnostic } from '../../diagnostics/domain.js';
import type { Rule } from '../inspection.js';

/** Interrupts of devices behind a vSMMU need the ITS of GICv3 or newer. libvirt chooses GICv3 if the domain names no version. */
export const domainWithoutGicv3: Rule = ({ accelerated, domain, location }) => {
  const gic = domain.document.root.child('features')?.child('gic');
  const version = gic?.attribute('version') ?? 'host';
  if (!gic || accelerated.length === 0 || !/^[12]$/.test(version)) return [];
  return [diagnostic({ version, location: location(gic) })];
};
