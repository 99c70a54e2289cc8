import { iommuUnsupported as diagnostic } from '../../diagnostics/vsmmu.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8 refuses to define an SMMUv3 for any machine other than `virt`. */
export const iommuUnsupported: Rule = ({ domain, location }) => {
  const { arch = 'aarch64', machine = 'virt' } = domain;
  if (/^(aarch64|armv[67]l)$/.test(arch) && /^virt(-|$)/.test(machine)) return [];
  return domain.iommus
    .filter(({ model }) => model === 'smmuv3')
    .map(({ element }) => diagnostic({ machine, arch, location: location(element) }));
};
