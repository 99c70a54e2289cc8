import { posix } from 'node:path';
import { EnvironmentError } from '../diagnostics/errors.js';
import { sysfsInvalid, sysfsUnreadable } from '../diagnostics/files.js';
import { type Bdf, compareBdf } from '../domain/address.js';
import type { PciDevice, Smmu } from '../generated/topology.js';
import { readAddressBits } from './cpu.js';
import { FeatureReader } from './features.js';
import { compareSmmu, Host } from './host.js';
import type { KernelLog } from './kernel-log.js';
import { readNodes } from './numa.js';
import { findEndlessParents } from './parents.js';
import { bdfOfName, PCI_DEVICES, readDevice, readNode, SMMUV3_PREFIX } from './pci.js';
import { Sysfs } from './sysfs.js';

/**
 * Reads a host from sysfs: the folder `sysfs` is `/sys` or a copy of one, its links included.
 *
 * With `only`, just those devices are read, the members of their IOMMU groups and the bridges above both; SMMUs and
 * NUMA nodes are all there. Addresses that the host does not have are not in the result, and neither is what goes
 * away while it is read. With a kernel's log, what the SMMUs can do is read as well, as far as it can be known: a log is
 * of this machine, so it goes with no copy of another's sysfs. Throws an OutsideError where the folder is no sysfs (`sysfs-invalid`) or a file of it
 * cannot be read or understood (`sysfs-unreadable`).
 */
export function scanHost(sysfs: string, only?: ReadonlySet<Bdf>, log?: KernelLog): Host {
  const tree = new Sysfs(sysfs);
  const names = only ? [...only] : tree.list(PCI_DEVICES);
  if (!names || !tree.has(PCI_DEVICES)) {
    throw new EnvironmentError(sysfsInvalid({ missing: PCI_DEVICES, file: sysfs }));
  }
  const addressBits = readAddressBits(tree);
  return new Host({
    version: 1,
    ...(addressBits !== undefined && { addressBits }),
    smmus: readSmmus(tree, log && new FeatureReader(tree, log())),
    devices: readDevices(tree, names, only),
    nodes: readNodes(tree, only ? 'placement' : 'whole'),
  });
}

/** The SMMUv3s (Linux, Documentation/ABI/testing/sysfs-class-iommu), by address; that class has other IOMMUs, too. */
function readSmmus(tree: Sysfs, reader: FeatureReader | undefined): Smmu[] {
  const folder = 'class/iommu';
  return (tree.list(folder) ?? [])
    .filter((name) => name.startsWith(SMMUV3_PREFIX))
    .flatMap((name) => {
      // …/platform/arm-smmu-v3.0.auto/iommu/smmu3.0x…: the platform device above has the node, where firmware gave one.
      const path = tree.follow(`${folder}/${name}`);
      if (path === undefined) return [];
      const device = posix.join(path, '../..');
      const node = posix.join(device, 'numa_node');
      const features = reader?.featuresOf(posix.basename(device));
      return [{ name, node: tree.has(node) ? readNode(tree, node) : null, ...(features && { features }) }];
    })
    .sort(compareSmmu);
}

function readDevices(tree: Sysfs, names: readonly string[], only?: ReadonlySet<Bdf>): PciDevice[] {
  const devices = new Map<Bdf, PciDevice>();
  const queue = names.map(bdfOfName);
  const groups = new Set<number>();
  const seen = new Set<Bdf>();
  for (const bdf of queue) {
    if (!bdf || seen.has(bdf)) continue;
    seen.add(bdf);
    const device = readDevice(tree, bdf);
    if (!device) continue;
    devices.set(bdf, device);
    if (!only) continue;
    if (device.parent) queue.push(device.parent);
    if (device.group !== null && only.has(bdf) && !groups.has(device.group)) {
      groups.add(device.group);
      queue.push(...(tree.list(`kernel/iommu_groups/${device.group}/devices`) ?? []).map(bdfOfName));
    }
  }
  const endless = findEndlessParents(devices);
  if (endless) tree.fail(`${PCI_DEVICES}/${endless.bdf}`, sysfsUnreadable.belowItself());
  // If a bridge was removed meanwhile, the devices below it were too.
  const isThere = ({ parent }: PciDevice): boolean => {
    const bridge = parent && devices.get(parent);
    return parent === null || (!!bridge && isThere(bridge));
  };
  return [...devices.values()].filter(isThere).sort((a, b) => compareBdf(a.bdf, b.bdf));
}
