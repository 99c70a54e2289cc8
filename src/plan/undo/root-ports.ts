import { controllerIndex } from '../../domain/address.js';
import { rootPortAlias } from '../../domain/alias.js';
import type { Domain } from '../../domain/domain.js';
import { PciTree } from '../../domain/pci-tree.js';
import type { Port } from '../../generated/plan.js';
import { Allocator } from '../allocate.js';

/**
 * Plans root ports of `pcie.0`. There is one for each gap in the indexes that controllers leave, because libvirt 12.8 would
 * fill such a gap itself, and further ones until there are enough for the devices.
 * @param staying the domain without the controllers that leave
 * @param freed the indexes of those controllers
 * @param devices how many devices need one of these ports
 * @param named whether the ports get vsmmu's aliases
 */
export function planRootPorts(staying: Domain, freed: Iterable<number>, devices: number, named: boolean): Port[] {
  const tree = new PciTree(staying);
  const allocator = new Allocator(staying, tree);
  const indexes = [...freed]
    .filter((index) => index < tree.highestIndex)
    .sort((a, b) => a - b)
    .map(controllerIndex);
  while (indexes.length < devices) indexes.push(allocator.index());
  const taken = new Set(staying.controllers.map((c) => c.chassis));
  return allocator.packedRootSlots(indexes.length).map(({ address, multifunction }, i) => {
    const controllerIndex = indexes[i] ?? allocator.index();
    return {
      model: 'pcie-root-port',
      controllerIndex,
      address,
      // The allocator keeps the number of a missing index for the port that libvirt would add there. That is this port.
      chassis: taken.has(controllerIndex) ? allocator.chassis(controllerIndex) : controllerIndex,
      multifunction,
      alias: named ? rootPortAlias(controllerIndex) : null,
      kept: false,
      devices: [],
      reserve: 0,
    };
  });
}
