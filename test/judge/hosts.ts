import type { Bdf } from '../../src/domain/address.js';
import type { Bar, NumaNode, PciDevice, SmmuFeatures, Topology } from '../../src/generated/topology.js';
import type { Random } from './random.js';

const MIB = 2 ** 20;
const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
const bdfOf = (domain: number, bus: number, slot: number, func: number): Bdf =>
  `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}` as Bdf;

/** The arrangement of the devices below one root port: in one slot, as virtual functions, or below a switch. */
const KINDS = ['single', 'single', 'single', 'functions', 'vfs', 'switch'] as const;

/** Makes a random host as sysfs can show one: some SMMUs with a root complex each, and a root complex without an SMMU. */
export function randomHost(random: Random): Topology {
  const builder = new HostBuilder(random);
  const smmus = random.chance(0.1) ? random.int(14, 20) : random.int(1, 6);
  for (let n = 0; n < smmus; n++) builder.addComplex(`smmu3.0x${hex(0x2b400000 + n * 0x100000, 16)}`);
  if (random.chance(0.4)) builder.addComplex(null);
  return builder.topology();
}

class HostBuilder {
  readonly #random: Random;
  readonly #smmus: Topology['smmus'][number][] = [];
  readonly #devices: PciDevice[] = [];
  readonly #cpuNodes: number;
  #complexes = 0;
  #groups = 0;
  #gpus = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#cpuNodes = random.int(1, 2);
  }

  addComplex(smmu: string | null): void {
    const random = this.#random;
    const domain = this.#complexes++;
    const node = random.chance(0.8) ? random.int(0, this.#cpuNodes - 1) : null;
    if (smmu !== null)
      this.#smmus.push({ name: smmu, node, ...(random.chance(0.5) && { features: this.#features() }) });
    let bus = 1;
    for (let port = 0, ports = random.int(1, 4); port < ports; port++) {
      const acs = random.chance(0.75);
      const root = this.#add(bdfOf(domain, 0, port, 0), { smmu, node, bridge: true, parent: null, group: null });
      const at = { smmu, node, parent: root.bdf, group: acs ? null : root.group };
      const kind = random.pick(KINDS);
      if (kind === 'switch') bus = this.#addSwitch(domain, bus, at);
      else this.#addSlot(domain, bus++, kind, at);
    }
  }

  topology(): Topology {
    const initiators = this.#random.chance(0.7) ? 8 * this.#gpus : 0;
    const ids = Array.from({ length: this.#cpuNodes + initiators }, (_, id) => id);
    const nodes = ids.map((id): NumaNode => {
      const cpu = id < this.#cpuNodes;
      const distances = ids.map((other) => (other === id ? 10 : 20 + Math.abs(other - id)));
      const cpus = cpu ? `${id * 8}-${id * 8 + 7}` : '';
      return { id, cpus, memory: cpu, memoryKiB: cpu ? 2 ** 24 : 0, initiator: !cpu, device: null, distances };
    });
    return { version: 1, smmus: this.#smmus, devices: this.#devices.sort((a, b) => (a.bdf < b.bdf ? -1 : 1)), nodes };
  }

  #addSlot(domain: number, bus: number, kind: (typeof KINDS)[number], at: Location): void {
    const random = this.#random;
    const first = this.#add(bdfOf(domain, bus, 0, 0), { ...at, gpu: kind === 'single' && random.chance(0.06) });
    if (kind === 'single') return;
    const together = random.chance(0.4);
    for (let n = 1, count = random.int(1, 3); n <= count; n++) {
      if (kind === 'vfs') this.#add(bdfOf(domain, bus, 0x10, n), { ...at, group: null, physfn: first.bdf });
      else this.#add(bdfOf(domain, bus, 0, n), { ...at, group: together ? first.group : at.group });
    }
  }

  #addSwitch(domain: number, bus: number, at: Location): number {
    const random = this.#random;
    const upstream = this.#add(bdfOf(domain, bus, 0, 0), { ...at, bridge: true });
    let next = bus + 2;
    const acs = random.chance(0.7);
    for (let n = 0, count = random.int(1, 3); n < count; n++) {
      const parent = upstream.bdf;
      const shared = at.group ?? (acs ? null : upstream.group);
      const down = this.#add(bdfOf(domain, bus + 1, n, 0), { ...at, bridge: true, parent, group: shared });
      this.#add(bdfOf(domain, next++, 0, 0), { ...at, parent: down.bdf, group: shared });
    }
    return next;
  }

  #add(bdf: Bdf, { smmu, node, parent, group, bridge = false, physfn = null, gpu = false }: Location): PciDevice {
    const random = this.#random;
    // Without an SMMU, some devices have a group anyway, of another kind of IOMMU.
    const own = smmu === null && random.chance(0.7) ? null : (group ?? ++this.#groups);
    if (gpu) this.#gpus++;
    const driver = bridge ? 'pcieport' : random.pick(['vfio-pci', 'vfio-pci', 'vfio-pci', 'nvme', null]);
    const [vendor, id, code] = gpu
      ? ['0x10de', '0x2941', '0x030200']
      : bridge
        ? ['0x1b36', '0x000c', '0x060400']
        : ['0x8086', '0x10d3', '0x020000'];
    const device: PciDevice = {
      bdf,
      vendor,
      device: id,
      class: code,
      driver,
      vfio: driver === 'vfio-pci',
      bridge,
      smmu,
      group: own,
      node,
      parent,
      physfn,
      bars: bridge ? [] : this.#bars(gpu),
    };
    this.#devices.push(device);
    return device;
  }

  #bars(gpu: boolean): Bar[] {
    const small: Bar = { index: 0, size: 16 * 1024, kind: 'memory', bits: 32, prefetchable: false };
    const power = gpu ? this.#random.int(17, 19) : this.#random.int(0, 16);
    const large: Bar = { index: 2, size: 2 ** power * MIB, kind: 'memory', bits: 64, prefetchable: true };
    return gpu || this.#random.chance(0.3) ? [small, large] : [small];
  }

  #features(): SmmuFeatures {
    const random = this.#random;
    return {
      ats: random.chance(0.5),
      ril: random.chance(0.5),
      oas: random.pick([44, 48]),
      ssidsize: random.int(0, 20),
    };
  }
}

interface Location {
  readonly smmu: string | null;
  readonly node: number | null;
  readonly parent: Bdf | null;
  /** The group that it shares with a bridge above it; null: it has its own group. */
  readonly group: number | null;
  readonly bridge?: boolean;
  readonly physfn?: Bdf | null;
  readonly gpu?: boolean;
}
