import { diagnostic } from '../../diagnostics.js';
import { smmuOfAlias } from '../../domain/alias.js';
import type { Rule } from '../inspection.js';

/** The alias of one of our expander buses says which SMMU it serves, and `rewrite` and `attach` go by it. */
export const expanderBusMisnamed: Rule = ({ accelerated, host, tree, location }) => {
  if (!host) return [];
  return accelerated.flatMap(({ bus, owner }) => {
    const controller = tree.controller(bus);
    const named = smmuOfAlias(controller?.alias, host.smmus);
    if (!controller || named === undefined || owner === undefined || owner === named) return [];
    const message = `the alias ${controller.alias} names ${named}, and the devices behind it are behind ${owner}`;
    return [diagnostic('expander-bus-misnamed', message, { location: location(controller.element, 'alias') })];
  });
};
