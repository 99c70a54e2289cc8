/** Turns a described host into QEMU's arguments and commands for its kernel. */
import type { DescribedComplex, DescribedDevice, HostDescription } from './description.js';

export interface HostMachine {
  readonly arguments: readonly string[];
  /** Lines for guest/host-init: `vfs SLOT COUNT` and `vfio SLOT FUNCTION`; SLOT is the slot number of a port. */
  readonly orders: readonly string[];
}

/** The kind of machine to make from a description. */
export interface MachineKind {
  /** Properties of `-M virt` and of each `-device arm-smmuv3` and `-device nvme`, with a comma before each. */
  readonly machine: string;
  readonly smmu: string;
  readonly nvme: (id: string) => string;
  readonly cpu: string;
}

/** A machine that only shows its /sys. */
export const plainMachine: MachineKind = { machine: '', smmu: '', nvme: () => '', cpu: 'cortex-a72' };

/** Default memory of a host in MiB. */
const defaultMemory = 2048;

/** Makes the machine. Ports, and so chassis and slot numbers, count from 1 in the description's order. */
export function hostMachine(host: HostDescription, kind: MachineKind = plainMachine): HostMachine {
  const machine = new MachineBuilder(kind);
  machine.nodes(host);
  for (const [index, complex] of host.complexes.entries()) machine.complex(complex, index);
  for (const [index, device] of (host.integrated ?? []).entries()) machine.functions(device, 'pcie.0', 0x10 + index);
  machine.initiators(host);
  const size = host.mmio === undefined ? '' : `,highmem-mmio-size=${host.mmio}`;
  const processor = ['-M', `virt,gic-version=3,acpi=on${kind.machine}${size}`, '-cpu', kind.cpu];
  return { arguments: [...processor, ...machine.arguments], orders: machine.orders };
}

class MachineBuilder {
  readonly arguments: string[] = [];
  readonly orders: string[] = [];
  private ports = 0;
  private devices = 0;

  constructor(private readonly kind: MachineKind) {}

  nodes({ nodes = [], distances = [] }: HostDescription): void {
    const cpus = nodes.reduce((sum, node) => sum + (node.cpus ?? 0), 0) || 1;
    const memory = nodes.reduce((sum, node) => sum + (node.memory ?? 0), 0) || defaultMemory;
    this.arguments.push('-smp', `${cpus}`, '-m', `${memory}M`);
    let cpu = 0;
    nodes.forEach((node, number) => {
      let text = `node,nodeid=${number}`;
      if (node.cpus !== undefined) {
        text += `,cpus=${cpu}-${cpu + node.cpus - 1}`;
        cpu += node.cpus;
      }
      if (node.memory !== undefined) {
        this.arguments.push('-object', `memory-backend-ram,id=memory${number},size=${node.memory}M`);
        text += `,memdev=memory${number}`;
      }
      this.arguments.push('-numa', text);
    });
    distances.forEach((row, source) => {
      row.forEach((value, target) => {
        if (source !== target) this.arguments.push('-numa', `dist,src=${source},dst=${target},val=${value}`);
      });
    });
  }

  complex(complex: DescribedComplex, index: number): void {
    const id = `complex${index}`;
    const node = complex.node === undefined ? '' : `,numa_node=${complex.node}`;
    this.device(`pxb-pcie,id=${id},bus=pcie.0,bus_nr=${Number.parseInt(complex.bus, 16)}${node}`);
    if (complex.smmu) this.device(`arm-smmuv3,primary-bus=${id},id=smmu${index}${this.kind.smmu}`);
    complex.devices.forEach((device) => {
      // Intel's old port has no ACS capability; QEMU's pcie-root-port has one (QEMU 11.1).
      this.inPort(device.noAcs ? 'ioh3420' : 'pcie-root-port', id, device);
    });
  }

  /** A port of the given kind on a bus, and the device in it. */
  private inPort(port: string, bus: string, device: DescribedDevice): void {
    const slot = ++this.ports;
    this.device(`${port},id=port${slot},bus=${bus},chassis=${slot},slot=${slot}`);
    this.functions(device, `port${slot}`, 0);
    if (device.vfs !== undefined) this.orders.push(`vfs ${slot} ${device.vfs}`);
    for (let fn = 0; device.vfio === true && fn < (device.functions ?? 1); fn++) this.orders.push(`vfio ${slot} ${fn}`);
  }

  /** The device's functions in one slot of a bus, the highest first: QEMU requires function 0 to be last. */
  functions(device: DescribedDevice, bus: string, slot: number): void {
    if (device.kind === 'empty') return;
    const count = device.functions ?? 1;
    for (let fn = count - 1; fn >= 0; fn--) {
      const id = fn === 0 && device.name !== undefined ? device.name : `device${this.devices++}`;
      const many = count > 1 && fn === 0 ? ',multifunction=on' : '';
      this.device(`${this.driver(device, id)},id=${id},bus=${bus},addr=${slot.toString(16)}.${fn}${many}`);
      if (fn === 0) this.below(device, id);
    }
  }

  private driver(device: DescribedDevice, id: string): string {
    switch (device.kind) {
      case 'nvme':
        return `nvme,serial=${id}${this.kind.nvme(id)}`;
      case 'nic':
        return 'e1000e,romfile=';
      case 'sriov-nic':
        // With ARI, which igb has, Linux finds function 1 only if function 0 announces it.
        return `igb,romfile=${(device.functions ?? 1) > 1 ? ',x-pcie-ari-nextfn-1=on' : ''}`;
      case 'pci-nic':
        return 'e1000,romfile=';
      case 'memory':
        return `pci-testdev,membar=${device.bar ?? '64G'}`;
      case 'switch':
        return 'x3130-upstream';
      case 'pci-bridge':
        return 'pcie-pci-bridge';
      case 'empty':
        return '';
    }
  }

  private below(device: DescribedDevice, bus: string): void {
    (device.below ?? []).forEach((each, index) => {
      if (device.kind === 'switch') this.inPort('xio3130-downstream', bus, each);
      else this.functions(each, bus, index + 1);
    });
  }

  initiators({ nodes = [] }: HostDescription): void {
    nodes.forEach(({ initiator }, number) => {
      if (initiator !== undefined) {
        this.arguments.push(
          '-object',
          `acpi-generic-initiator,id=initiator${number},pci-dev=${initiator},node=${number}`,
        );
      }
    });
  }

  private device(text: string): void {
    this.arguments.push('-device', text);
  }
}
