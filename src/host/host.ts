import type { Bdf } from '../domain/address.js';
import { type HostNode, hostNode } from '../domain/numa.js';
import type { NumaNode, PciDevice, Smmu, Topology } from '../generated/topology.js';
import { groupBy } from '../group-by.js';

/** A topology with indexes. It answers the planner's questions without I/O. */
export class Host {
  readonly topology: Topology;
  /** The devices that are not bridges, by address. */
  readonly endpoints: readonly PciDevice[];
  readonly #devices: ReadonlyMap<Bdf, PciDevice>;
  readonly #smmus: ReadonlyMap<string, Smmu>;
  readonly #groups: ReadonlyMap<number | null, readonly PciDevice[]>;

  /** @param topology must be consistent, as `scanHost` and `readTopology` ensure */
  constructor(topology: Topology) {
    this.topology = topology;
    this.endpoints = topology.devices.filter((device) => !device.bridge);
    this.#devices = new Map(topology.devices.map((device) => [device.bdf, device]));
    this.#smmus = new Map(topology.smmus.map((smmu) => [smmu.name, smmu]));
    this.#groups = groupBy(topology.devices, ({ group }) => group);
  }

  /** The SMMUs, sorted by address, which is also the order of their expander buses. */
  get smmus(): readonly Smmu[] {
    return this.topology.smmus;
  }

  /** The size of the CPUs' physical addresses, in bits; undefined if unknown. */
  get addressBits(): number | undefined {
    return this.topology.addressBits;
  }

  /** The NUMA nodes, sorted by number. */
  get nodes(): readonly NumaNode[] {
    return this.topology.nodes;
  }

  /** The node with CPUs if there is only one; all cells of a guest are then on it. Nodes of GPU memory have no CPUs. */
  get soleCpuNode(): HostNode | undefined {
    const [first, second] = this.nodes.filter((node) => node.cpus !== '');
    return first && !second ? hostNode(first.id) : undefined;
  }

  /**
   * Returns the device at an address, a bridge or an endpoint; undefined if the host, or the scanned part of it, has none.
   */
  device(bdf: Bdf): PciDevice | undefined {
    return this.#devices.get(bdf);
  }

  /** Returns the SMMU with a name such as `smmu3.0x000000000c020000`. */
  smmu(name: string): Smmu | undefined {
    return this.#smmus.get(name);
  }

  /**
   * Returns the SMMU that most of these devices are behind. If several have equally many, returns the one with the lowest
   * address; undefined if no device is behind an SMMU.
   */
  smmuOfMost(devices: readonly { readonly bdf: Bdf }[]): string | undefined {
    const bySmmu = groupBy(devices, ({ bdf }) => this.device(bdf)?.smmu ?? null);
    const most = Math.max(...[...bySmmu.values()].map((members) => members.length));
    return this.smmus.find(({ name }) => bySmmu.get(name)?.length === most)?.name;
  }

  /** Returns the endpoints behind an SMMU, sorted by address. */
  endpointsBehind(smmu: string): readonly PciDevice[] {
    return this.endpoints.filter((device) => device.smmu === smmu);
  }

  /** Returns all devices of an IOMMU group, including PCI bridges, sorted by address. */
  groupMembers(group: number): readonly PciDevice[] {
    return this.#groups.get(group) ?? [];
  }

  /**
   * Returns the other members of a device's IOMMU group, sorted by address. Only a device without other members can be
   * placed.
   */
  groupMates(device: PciDevice): readonly PciDevice[] {
    if (device.group === null) return [];
    return this.groupMembers(device.group).filter((mate) => mate.bdf !== device.bdf);
  }

  /**
   * Whether an endpoint is alone in an IOMMU group. Behind an accelerated vSMMU, Linux 7.2 translates only for such
   * endpoints.
   */
  isIsolated(device: PciDevice): boolean {
    return device.group !== null && this.groupMembers(device.group).length === 1;
  }

  /** Returns the bridges above a device, the nearest first. */
  bridgesAbove(device: PciDevice): readonly PciDevice[] {
    const bridges: PciDevice[] = [];
    let above = device.parent && this.#devices.get(device.parent);
    while (above) {
      bridges.push(above);
      above = above.parent && this.#devices.get(above.parent);
    }
    return bridges;
  }

  /**
   * Returns the NUMA node of an SMMU: the one that firmware names, else the node of all its devices; null if they differ or
   * have none. If the host was scanned for one domain, only the scanned devices count.
   */
  smmuNode(name: string): number | null {
    const named = this.#smmus.get(name)?.node;
    if (named !== undefined && named !== null) return named;
    const nodes = new Set(this.topology.devices.filter((device) => device.smmu === name).map((device) => device.node));
    const [node = null] = nodes;
    return nodes.size === 1 ? node : null;
  }

  /** Returns the distance between two NUMA nodes (10 within a node); undefined if the host does not have one of them. */
  distance(from: number, to: number): number | undefined {
    const column = this.nodes.findIndex((node) => node.id === to);
    return this.nodes.find((node) => node.id === from)?.distances[column];
  }
}

/** Orders SMMUs by address, which is a part of their names. */
export function compareSmmu(a: Smmu, b: Smmu): number {
  return a.name.length - b.name.length || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** A host without SMMUs and devices, used if no host is known. */
export const NO_HOST = new Host({ version: 1, smmus: [], devices: [], nodes: [] });
