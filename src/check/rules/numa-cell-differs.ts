import { chooseCell, mapCells } from '../../plan/numa.js';
import type { Rule } from '../inspection.js';

/** If an expander bus names another NUMA cell than that of its devices, the guest uses memory of the wrong node for them. */
export const numaCellDiffers: Rule = ({ accelerated, domain, host, tree, location }) => {
  if (!host) return [];
  const map = mapCells(domain.numa, host, 'existing');
  return accelerated.flatMap((vsmmu) => {
    const controller = tree.controller(vsmmu.bus);
    if (controller?.node === undefined || vsmmu.owner === undefined) return [];
    if (!domain.numa.cells.some(({ id }) => id === controller.node)) return [];
    const devices = vsmmu.hostDevices.flatMap(({ bdf }) => host.device(bdf) ?? []);
    const site = {
      smmu: vsmmu.owner,
      devices,
      before: controller.node,
      location: location(controller.element, 'target'),
    };
    return chooseCell(site, map, host).diagnostics;
  });
};
