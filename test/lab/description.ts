/** The description of a host that `capture-host` boots: a JSON file in test/lab/hosts. */
import { LabError } from './process.js';

/** A device of the host. host-machine.ts maps kinds to QEMU devices. */
export interface DescribedDevice {
  /**
   * `nvme`, `nic` (e1000e), `sriov-nic` (igb), `memory` (pci-testdev with a large BAR), `switch` (PCIe), `pci-bridge`
   * (PCIe to conventional PCI), `pci-nic` (conventional, for below a pci-bridge), or `empty`: a port with nothing in it.
   */
  readonly kind: 'nvme' | 'nic' | 'sriov-nic' | 'memory' | 'switch' | 'pci-bridge' | 'pci-nic' | 'empty';
  /** Name by which a NUMA node refers to the device that is its Generic Initiator. */
  readonly name?: string;
  /** Functions in its slot, 1 to 8. Those of a `nic` have no ACS and share a group; Linux isolates those of a `sriov-nic`. */
  readonly functions?: number;
  /** Number of virtual functions to enable, for a `sriov-nic`. */
  readonly vfs?: number;
  /** Size of the 64-bit prefetchable BAR of `memory`, as QEMU writes it: `64G`. */
  readonly bar?: string;
  /** Binds every function of the slot to vfio-pci; by default the kernel's own driver is bound. */
  readonly vfio?: boolean;
  /** Puts the device into a root port without ACS. */
  readonly noAcs?: boolean;
  /** Devices below a `switch` (each behind a downstream port without ACS) or a `pci-bridge`. */
  readonly below?: readonly DescribedDevice[];
}

export interface DescribedComplex {
  /** Number of its root bus, two hexadecimal digits; buses below it get the following numbers. */
  readonly bus: string;
  /** Whether it is behind an SMMUv3. */
  readonly smmu: boolean;
  readonly node?: number;
  /** Devices, each in its own root port. */
  readonly devices: readonly DescribedDevice[];
}

export interface DescribedNode {
  readonly cpus?: number;
  /** Memory in MiB. */
  readonly memory?: number;
  /** The name of the device whose Generic Initiator the node is. */
  readonly initiator?: string;
}

export interface HostDescription {
  /** Purpose of the host, in a sentence. */
  readonly about: string;
  /** NUMA nodes. By default the host has one node with one CPU. */
  readonly nodes?: readonly DescribedNode[];
  /** Distances between nodes, a row per node. */
  readonly distances?: readonly (readonly number[])[];
  readonly complexes: readonly DescribedComplex[];
  /** Devices on root bus 00, behind no SMMU, in slots from 10 (hexadecimal). */
  readonly integrated?: readonly DescribedDevice[];
  /** Space for 64-bit BARs, as a value of QEMU's `highmem-mmio-size`; the default is 512G. */
  readonly mmio?: string;
}

const kinds = ['nvme', 'nic', 'sriov-nic', 'memory', 'switch', 'pci-bridge', 'pci-nic', 'empty'];
const deviceKeys = ['kind', 'name', 'functions', 'vfs', 'bar', 'vfio', 'noAcs', 'below'];
const complexKeys = ['bus', 'smmu', 'node', 'devices'];
const hostKeys = ['about', 'nodes', 'distances', 'complexes', 'integrated', 'mmio'];

/** Reads a description. Throws LabError that names the error and its location. */
export function parseDescription(text: string, file: string): HostDescription {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LabError(`${file}: ${(error as Error).message}`);
  }
  const host = record(value, hostKeys, file);
  if (!Array.isArray(host.complexes)) throw new LabError(`${file}: it has no complexes`);
  host.complexes.forEach((each: unknown, index) => {
    const where = `${file}: complexes[${index}]`;
    const complex = record(each, complexKeys, where);
    if (typeof complex.bus !== 'string' || !/^[0-9a-f]{2}$/.test(complex.bus))
      throw new LabError(`${where}: its bus is not two hexadecimal digits`);
    if (typeof complex.smmu !== 'boolean') throw new LabError(`${where}: smmu is neither true nor false`);
    checkDevices(complex.devices, `${where}.devices`);
  });
  checkDevices(host.integrated ?? [], `${file}: integrated`);
  return value as HostDescription;
}

function checkDevices(devices: unknown, where: string): void {
  if (!Array.isArray(devices)) throw new LabError(`${where} is not a list`);
  devices.forEach((each: unknown, index) => {
    const device = record(each, deviceKeys, `${where}[${index}]`);
    if (!kinds.includes(String(device.kind)))
      throw new LabError(`${where}[${index}]: its kind is not one of ${kinds.join(', ')}`);
    if (device.below !== undefined) checkDevices(device.below, `${where}[${index}].below`);
  });
}

function record(value: unknown, keys: readonly string[], where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LabError(`${where} is not an object`);
  const unknownKey = Object.keys(value).find((key) => !keys.includes(key));
  if (unknownKey !== undefined) throw new LabError(`${where}: unknown key ${unknownKey}`);
  return value as Record<string, unknown>;
}
