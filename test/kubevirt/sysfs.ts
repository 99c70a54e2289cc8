import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bar, PciDevice, Topology } from '../../src/generated/topology.js';
import type { Machine } from './machines.js';

/** Returns the host of a virtual machine: a sample, with some devices behind other SMMUs. */
export function hostOf({ host, behind = {} }: Pick<Machine, 'host' | 'behind'>): Topology {
  const path = fileURLToPath(new URL(`../../samples/hosts/${host}`, import.meta.url));
  const topology: Topology = JSON.parse(readFileSync(path, 'utf8'));
  const smmuOf = (bdf: string) => topology.devices.find((device) => device.bdf === bdf)?.smmu ?? null;
  const moved = topology.devices.map((device) => {
    const other = behind[device.bdf];
    return other === undefined ? device : { ...device, smmu: smmuOf(other) };
  });
  return { ...topology, devices: moved };
}

/** Writes the files of /sys that vsmmu and KubeVirt read, for a host of `samples/hosts`. */
export function writeSysfs({ smmus, devices, nodes }: Topology, root: string): void {
  const file = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  };
  /** Makes a relative link, as sysfs does. */
  const link = (path: string, target: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(posix.relative(posix.dirname(path), target), join(root, path));
  };
  mkdirSync(join(root, 'bus/pci/devices'), { recursive: true });

  for (const [n, { name, node }] of smmus.entries()) {
    const platform = `devices/platform/arm-smmu-v3.${n}.auto`;
    mkdirSync(join(root, `${platform}/iommu/${name}`), { recursive: true });
    link(`class/iommu/${name}`, `${platform}/iommu/${name}`);
    if (node !== null) file(`${platform}/numa_node`, String(node));
  }
  for (const device of devices) {
    const path = pathOf(device, devices);
    file(`${path}/vendor`, device.vendor);
    file(`${path}/device`, device.device);
    file(`${path}/class`, device.class);
    file(`${path}/numa_node`, String(device.node ?? -1));
    file(`${path}/resource`, resource(device.bars));
    link(`bus/pci/devices/${device.bdf}`, path);
    if (device.driver !== null) link(`${path}/driver`, `bus/pci/drivers/${device.driver}`);
    if (device.vfio) mkdirSync(join(root, path, 'vfio-dev'));
    if (device.physfn !== null) link(`${path}/physfn`, `bus/pci/devices/${device.physfn}`);
    if (device.smmu !== null) link(`${path}/iommu`, `class/iommu/${device.smmu}`);
    if (device.group === null) continue;
    link(`${path}/iommu_group`, `kernel/iommu_groups/${device.group}`);
    link(`kernel/iommu_groups/${device.group}/devices/${device.bdf}`, path);
  }
  const folder = 'devices/system/node';
  const list = (those: Topology['nodes']) => those.map(({ id }) => id).join(',');
  file(`${folder}/online`, list(nodes));
  file(`${folder}/has_cpu`, list(nodes.filter(({ cpus }) => cpus !== '')));
  file(`${folder}/has_memory`, list(nodes.filter(({ memory }) => memory)));
  file(`${folder}/has_generic_initiator`, list(nodes.filter(({ initiator }) => initiator)));
  for (const { id, cpus, memoryKiB = 0, distances, device } of nodes) {
    file(`${folder}/node${id}/cpulist`, cpus);
    file(`${folder}/node${id}/meminfo`, `Node ${id} MemTotal:       ${memoryKiB} kB`);
    file(`${folder}/node${id}/distance`, distances.join(' '));
    const there = devices.find(({ bdf }) => bdf === device);
    if (there) link(`${folder}/node${id}/${there.bdf}`, pathOf(there, devices));
  }
}

/** The path of a device in sysfs, below its bridges. */
function pathOf({ bdf, parent }: PciDevice, devices: readonly PciDevice[]): string {
  const above = devices.find((device) => device.bdf === parent);
  const folder = above ? pathOf(above, devices) : `devices/pci${bdf.slice(0, bdf.lastIndexOf(':'))}`;
  return `${folder}/${bdf}`;
}

/** The lines of `resource`: six BARs, `start end flags`. */
function resource(bars: readonly Bar[]): string {
  const hex = (n: number) => `0x${n.toString(16).padStart(16, '0')}`;
  return Array.from({ length: 6 }, (_, index) => {
    const bar = bars.find((b) => b.index === index);
    if (!bar) return `${hex(0)} ${hex(0)} ${hex(0)}`;
    const type = bar.kind === 'io' ? 0x100 : 0x200 + (bar.bits === 64 ? 0x100004 : 0) + (bar.prefetchable ? 0x2008 : 0);
    const start = 2 ** 40;
    return `${hex(start)} ${hex(start + bar.size - 1)} ${hex(type)}`;
  }).join('\n');
}
