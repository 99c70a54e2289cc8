import { expanderBusMisnamed as diagnostic } from '../../diagnostics/pci.js';
import { smmuOfAlias } from '../../domain/alias.js';
import type { Rule } from '../inspection.js';

/** The alias of an expander bus that vsmmu added names its SMMU. `rewrite` and `attach` rely on it. */
export const expanderBusMisnamed: Rule = ({ accelerated, host, tree, location }) => {
  if (!host) return [];
  return accelerated.flatMap(({ bus, owner }) => {
    const controller = tree.controller(bus);
    const named = smmuOfAlias(controller?.alias, host.smmus);
    if (!controller || named === undefined || owner === undefined || owner === named) return [];
    const where = location(controller.element, 'alias');
    return [diagnostic({ alias: controller.alias ?? '', named, smmu: owner, location: where })];
  });
};
