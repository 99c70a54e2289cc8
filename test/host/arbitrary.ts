import fc from 'fast-check';
import { type Bdf, compareBdf } from '../../src/domain/address.js';
import type { Bar, NumaNode, PciDevice, SmmuFeatures, Topology } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';

const GIB = 2 ** 30;
const MAX_ENDPOINTS = 40;

/** The devices below one root port. */
interface Slot {
  /** The number of its root complex; each except the last has an SMMU. */
  readonly complex: number;
  readonly kind: 'device' | 'functions' | 'vfs' | 'switch';
  /** The number of endpoints: functions, virtual functions, or devices below the switch. */
  readonly count: number;
  /** Whether its functions share a group, or each device below the switch shares the group of its port, as without ACS. */
  readonly together: boolean;
  /** Whether it shares the group of the previous endpoint in its root complex. */
  readonly joined: boolean;
  readonly driver: string | null;
  readonly big: boolean;
  /** Whether its first function is a Grace GPU. */
  readonly grace: boolean;
}

interface Spec {
  readonly smmus: number;
  readonly smmuNodes: readonly (number | null)[];
  /** Whether each root complex is in its own PCI domain, as on Grace; otherwise all are in one. */
  readonly segments: boolean;
  readonly groupWithoutSmmu: boolean;
  readonly slots: readonly Slot[];
  readonly cpuNodes: number;
  readonly initiators: number;
  /** The known features of each SMMU. */
  readonly features: readonly (SmmuFeatures | undefined)[];
  readonly distance: number;
}

const slot = (complexes: number): fc.Arbitrary<Slot> =>
  fc.record({
    complex: fc.nat(complexes - 1),
    kind: fc.oneof({ weight: 5, arbitrary: fc.constant('device') }, fc.constantFrom('functions', 'vfs', 'switch')),
    count: fc.integer({ min: 1, max: 4 }),
    together: fc.boolean(),
    joined: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, fc.constant(true)),
    driver: fc.constantFrom('vfio-pci', 'vfio-pci', 'nvme', 'mlx5_core', null),
    big: fc.boolean(),
    grace: fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, fc.constant(true)),
  });

const features: fc.Arbitrary<SmmuFeatures | undefined> = fc.option(
  fc.record(
    { ats: fc.boolean(), ril: fc.boolean(), cmdqv: fc.boolean(), oas: fc.constantFrom(44, 48), ssidsize: fc.nat(20) },
    { requiredKeys: [] },
  ),
  { nil: undefined, freq: 1 },
);

const spec: fc.Arbitrary<Spec> = fc.integer({ min: 1, max: 16 }).chain((smmus) =>
  fc.record({
    smmus: fc.constant(smmus),
    smmuNodes: fc.array(fc.constantFrom(null, 0, 1), { minLength: smmus, maxLength: smmus }),
    segments: fc.boolean(),
    groupWithoutSmmu: fc.boolean(),
    slots: fc.array(slot(smmus + 1), { maxLength: MAX_ENDPOINTS, size: 'max' }),
    cpuNodes: fc.integer({ min: 1, max: 2 }),
    // Eight per Grace GPU for two GPUs, and others that belong to no GPU.
    initiators: fc.constantFrom(0, 1, 4, 16, 17),
    features: fc.array(features, { minLength: smmus, maxLength: smmus }),
    distance: fc.integer({ min: 11, max: 254 }),
  }),
);

/**
 * Hosts as sysfs could show them: 1 to 16 SMMUs with a root complex each and one root complex without, up to 40
 * endpoints below root ports and switches (single, multifunction, virtual functions), groups mostly of one endpoint.
 */
export const arbitraryHost: fc.Arbitrary<Host> = spec.map((s) => new Host(new Builder(s).build()));

class Builder {
  readonly #spec: Spec;
  readonly #devices: PciDevice[] = [];
  /** The group of the last endpoint of a root complex. */
  readonly #lastGroup = new Map<number, number>();
  #groups = 0;
  #endpoints = 0;

  constructor(given: Spec) {
    this.#spec = given;
  }

  build(): Topology {
    const { smmus, smmuNodes, cpuNodes, slots, segments, features: known } = this.#spec;
    let bus = 0;
    for (let complex = 0; complex <= smmus; complex++) {
      const domain = segments ? complex * 0x1111 : 0;
      if (segments) bus = 0;
      const root = bus++;
      const own = slots.filter((s) => s.complex === complex);
      for (const [index, s] of own.entries()) {
        if (this.#endpoints >= MAX_ENDPOINTS) break;
        const port = bdfOf(domain, root, index % 32, Math.floor(index / 32));
        this.#add(port, s, { bridge: true, parent: null });
        bus = s.kind === 'switch' ? this.#switch(s, domain, bus, port) : this.#slot(s, domain, bus, port);
      }
    }
    return {
      version: 1,
      smmus: Array.from({ length: smmus }, (_, index) => ({
        name: smmuName(index),
        node: this.#node(smmuNodes[index]),
        ...(known[index] && { features: known[index] }),
      })),
      devices: this.#devices.sort((a, b) => compareBdf(a.bdf, b.bdf)),
      nodes: this.#nodes(cpuNodes),
    };
  }

  /** Adds a device with its functions and virtual functions. Returns the next free bus. */
  #slot(s: Slot, domain: number, bus: number, parent: Bdf): number {
    const first = bdfOf(domain, bus, 0, 0);
    const gpu = { vendor: '0x10de', device: '0x2941', class: '0x030200' };
    const group = this.#add(first, s, { parent, ...(s.grace && s.kind === 'device' && gpu) });
    for (let n = 1; n <= s.count && s.kind !== 'device'; n++) {
      if (this.#endpoints >= MAX_ENDPOINTS) break;
      const vf = s.kind === 'vfs';
      const bdf = bdfOf(domain, bus, vf ? 0x10 : 0, n);
      this.#add(bdf, s, { parent, physfn: vf ? first : null, ...(s.together && !vf && { group }) });
    }
    return bus + 1;
  }

  /** Adds a switch with a device below each of its ports. Returns the next free bus. */
  #switch(s: Slot, domain: number, bus: number, parent: Bdf): number {
    const upstream = bdfOf(domain, bus, 0, 0);
    this.#add(upstream, s, { bridge: true, parent });
    let next = bus + 2;
    for (let n = 0; n < s.count && this.#endpoints < MAX_ENDPOINTS; n++) {
      const port = bdfOf(domain, bus + 1, n, 0);
      const group = this.#add(port, s, { bridge: true, parent: upstream });
      this.#add(bdfOf(domain, next++, 0, 0), s, { parent: port, ...(s.together && { group }) });
    }
    return next;
  }

  /** Adds a device in the given group, or in its own. Returns its group. */
  #add(bdf: Bdf, s: Slot, given: Partial<PciDevice> & { readonly parent: Bdf | null }): number {
    const { bridge = false, parent, physfn = null } = given;
    const behind = s.complex < this.#spec.smmus;
    const joined = s.joined && !bridge ? this.#lastGroup.get(s.complex) : undefined;
    const group = given.group ?? joined ?? this.#groups++;
    if (!bridge) {
      this.#endpoints++;
      this.#lastGroup.set(s.complex, group);
    }
    const driver = bridge ? 'pcieport' : s.driver;
    this.#devices.push({
      bdf,
      vendor: bridge ? '0x1b36' : '0x8086',
      device: bridge ? '0x000c' : '0x10d3',
      class: bridge ? '0x060400' : '0x020000',
      ...given,
      driver,
      vfio: driver === 'vfio-pci',
      bridge,
      smmu: behind ? smmuName(s.complex) : null,
      group: behind || this.#spec.groupWithoutSmmu ? group : null,
      node: this.#node(this.#spec.smmuNodes[s.complex]),
      parent,
      physfn,
      bars: bridge ? [] : bars(s.big),
    });
    return group;
  }

  /** Returns an existing node. */
  #node(wish: number | null | undefined): number | null {
    return wish === undefined || wish === null ? null : Math.min(wish, this.#spec.cpuNodes - 1);
  }

  #nodes(cpuNodes: number): NumaNode[] {
    const { initiators, distance } = this.#spec;
    const ids = Array.from({ length: cpuNodes + initiators }, (_, id) => id);
    return ids.map((id) => ({
      id,
      cpus: id < cpuNodes ? `${id * 8}-${id * 8 + 7}` : '',
      memory: id < cpuNodes,
      memoryKiB: id < cpuNodes ? 16 * 2 ** 20 : 0,
      initiator: id >= cpuNodes,
      device: null,
      distances: ids.map((other) => (other === id ? 10 : distance)),
    }));
  }
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

const bdfOf = (domain: number, bus: number, slot: number, func: number): Bdf =>
  `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}` as Bdf;

const smmuName = (index: number): string => `smmu3.0x${hex(0xc000000 + index * 0x20000, 16)}`;

function bars(big: boolean): Bar[] {
  const small: Bar = { index: 0, size: 2 ** 17, kind: 'memory', bits: 32, prefetchable: false };
  return big ? [small, { index: 2, size: 64 * GIB, kind: 'memory', bits: 64, prefetchable: true }] : [small];
}
