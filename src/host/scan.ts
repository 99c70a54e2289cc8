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
import { findParentLoop } from './parents.js';
import { bdfOfName, PCI_DEVICES, readDevice, readNode, SMMUV3_PREFIX } from './pci.js';
import { Sysfs } from './sysfs.js';

/**
 * Reads a host from sysfs.
 * @param sysfs `/sys`, or a copy of it that includes its links
 * @param only limits the scan to these devices, the members of their IOMMU groups and the bridges above both. SMMUs and NUMA
 * nodes are complete. Addresses that the host does not have are not in the result, and neither are devices that are removed
 * during the scan.
 * @param log a kernel log, from which the known features of the SMMUs are read. It is the log of this machine, so do not use
 * it with a copy of another machine's sysfs.
 * @throws EnvironmentError `sysfs-invalid` if the folder is not a sysfs, `sysfs-unreadable` if one of its files cannot be
 * read or understood
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

/**
 * Reads the SMMUv3s (Linux, Documentation/ABI/testing/sysfs-class-iommu), sorted by address. The class has other IOMMUs, too.
 */
function readSmmus(tree: Sysfs, reader: FeatureReader | undefined): Smmu[] {
  const folder = 'class/iommu';
  return (tree.list(folder) ?? [])
    .filter((name) => name.startsWith(SMMUV3_PREFIX))
    .flatMap((name) => {
      // …/platform/arm-smmu-v3.0.auto/iommu/smmu3.0x…: the platform device above has the NUMA node, if firmware names one.
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
  const loop = findParentLoop(devices);
  if (loop) tree.fail(`${PCI_DEVICES}/${loop.bdf}`, sysfsUnreadable.belowItself());
  // If a bridge was removed meanwhile, the devices below it were too.
  const isThere = ({ parent }: PciDevice): boolean => {
    const bridge = parent && devices.get(parent);
    return parent === null || (!!bridge && isThere(bridge));
  };
  return [...devices.values()].filter(isThere).sort((a, b) => compareBdf(a.bdf, b.bdf));
}
