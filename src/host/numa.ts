import { sysfsUnreadable } from '../diagnostics/files.js';
import type { Bdf } from '../domain/address.js';
import { parseNodeset } from '../domain/numa.js';
import type { NumaNode } from '../generated/topology.js';
import { bdfOfName } from './pci.js';
import type { Sysfs } from './sysfs.js';

const NODES = 'devices/system/node';

/**
 * The details to read of each NUMA node: `whole` includes its memory size, `placement` is only what placing devices needs.
 */
export type NodeDetail = 'whole' | 'placement';

/**
 * Reads the online NUMA nodes (Linux, Documentation/ABI/stable/sysfs-devices-node), sorted by number. The list is empty if
 * the kernel was built without NUMA.
 */
export function readNodes(sysfs: Sysfs, detail: NodeDetail): NumaNode[] {
  const online = readSet(sysfs, 'online');
  if (!online) return [];
  const withCpu = readSet(sysfs, 'has_cpu') ?? new Set();
  const withMemory = readSet(sysfs, 'has_memory') ?? readSet(sysfs, 'has_normal_memory') ?? new Set();
  // Kernels before 5.10 do not list Generic Initiators. They are the nodes without CPUs and memory.
  const initiators =
    readSet(sysfs, 'has_generic_initiator') ??
    new Set([...online].filter((id) => !withCpu.has(id) && !withMemory.has(id)));

  return [...online].map((id) => ({
    id,
    cpus: withCpu.has(id) ? readCpus(sysfs, id) : '',
    memory: withMemory.has(id),
    ...(detail === 'whole' && { memoryKiB: withMemory.has(id) ? readMemory(sysfs, id) : 0 }),
    initiator: initiators.has(id),
    device: initiators.has(id) ? readNodeDevice(sysfs, id) : null,
    distances: readDistances(sysfs, id, online.size),
  }));
}

/** Linux has at most 1024 nodes (NODES_SHIFT). */
const LIST = /^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/;

function readSet(sysfs: Sysfs, name: string): Set<number> | undefined {
  const path = `${NODES}/${name}`;
  const text = sysfs.read(path);
  if (text === undefined) return undefined;
  if (text === '') return new Set();
  return LIST.test(text)
    ? new Set(parseNodeset(text))
    : sysfs.fail(path, sysfsUnreadable.notA({ expected: 'a list of nodes' }));
}

/** Linux has at most 8192 CPUs on arm64 and x86 (NR_CPUS). */
const CPU_LIST = /^(\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*)?$/;

function readCpus(sysfs: Sysfs, id: number): string {
  const path = `${NODES}/node${id}/cpulist`;
  const text = sysfs.read(path) ?? '';
  return CPU_LIST.test(text) ? text : sysfs.fail(path, sysfsUnreadable.notA({ expected: 'a list of CPUs' }));
}

function readMemory(sysfs: Sysfs, id: number): number {
  const path = `${NODES}/node${id}/meminfo`;
  const [, kib] =
    /MemTotal:\s+(\d+) kB/.exec(sysfs.read(path) ?? '') ??
    sysfs.fail(path, sysfsUnreadable.missing({ name: 'MemTotal' }));
  return Number(kib);
}

function readDistances(sysfs: Sysfs, id: number, nodes: number): number[] {
  const path = `${NODES}/node${id}/distance`;
  const distances = (sysfs.read(path) ?? '').split(' ').map(Number);
  if (distances.length !== nodes || !distances.every(Number.isInteger)) {
    sysfs.fail(path, sysfsUnreadable.distances({ nodes }));
  }
  return distances;
}

/** Returns the device that a node's folder links to. Either the link or its target has the device's address as its name. */
function readNodeDevice(sysfs: Sysfs, id: number): Bdf | null {
  const folder = `${NODES}/node${id}`;
  for (const name of sysfs.list(folder) ?? []) {
    const bdf =
      bdfOfName(name) ?? (name === 'device' ? bdfOfName(sysfs.linkName(`${folder}/${name}`) ?? '') : undefined);
    if (bdf) return bdf;
  }
  return null;
}
