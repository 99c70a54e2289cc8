/**
 * The same machine without the hardware: libvirt's command line with an emulated endpoint instead of each host device and
 * no acceleration. Buses, slots, functions, expander buses and SMMUs stay exactly as they were.
 */
import { deviceOf, parseProperties, type QemuDevice, type QemuOption } from './argv.js';

/** Properties of an arm-smmuv3 that need an SMMU of the host (QEMU 11.1; `-device arm-smmuv3,help`). */
const accelerated = ['accel', 'ats', 'ril', 'ssidsize', 'oas', 'cmdqv'];

/** Objects that describe the machine; all others refer to resources of the host or of libvirt. */
const keptObjects = /^(memory-backend-\w+|acpi-generic-initiator|acpi-generic-port|rng-\w+|iothread)$/;

/** Options that the lab cannot provide, and that a guest does not need to read its PCI bus. */
const dropped = new Set([
  ...[
    '-S',
    '-sandbox',
    '-daemonize',
    '-pidfile',
    '-mon',
    '-monitor',
    '-qmp',
    '-vnc',
    '-spice',
    '-display',
    '-audiodev',
  ],
  ...['-tpmdev', '-msg', '-serial', '-no-shutdown', '-incoming', '-fsdev', '-add-fd', '-bios', '-kernel', '-initrd'],
  ...['-append', '-nodefaults', '-no-reboot', '-boot', '-name'],
]);

/** Devices whose backend was in a dropped option. None of them is on a PCI bus. */
const droppedDevices = /^(tpm-|hda-|virtio-9p|vhost-)/;

/** Memory that suffices for a guest that reports its hardware; libvirt's sizes may not fit this computer. */
const memoryLimitBytes = 2 * 1024 ** 3;

/** Subsystem vendor ID, in the guest, of a stand-in for a host device. Its subsystem device ID is its number, from 1. */
export const standInVendor = '1af4';

/**
 * The bootable variant of a command line, as arguments for QEMU; the caller adds kernel, firmware and console.
 * The guest distinguishes the stand-ins of host devices by their subsystem IDs: the n-th `vfio-pci` has device ID n.
 */
export function emulatedMachine(options: readonly QemuOption[]): string[] {
  const sizes = smaller(options);
  let hostDevices = 0;
  const count = (): number => ++hostDevices;
  return options
    .flatMap((option) => emulated(option, sizes, count))
    .flatMap(({ name, value }) => (value === undefined ? [name] : [name, value]));
}

function emulated(option: QemuOption, sizes: Sizes, count: () => number): QemuOption[] {
  if (dropped.has(option.name)) return [];
  const { name, value = '' } = option;
  switch (name) {
    case '-device': {
      const device = emulatedDevice(deviceOf(option) ?? { driver: value }, count);
      return device === undefined ? [] : [{ name, value: JSON.stringify(device) }];
    }
    case '-machine': {
      const kept = value
        .split(',')
        .filter((part) => !/^(pflash\d|firmware|dump-guest-core|confidential-guest-support)=/.test(part));
      return [{ name, value: kept.join(',') }];
    }
    case '-blockdev':
      return emptyDisk(parseProperties(value, 'driver'));
    case '-netdev':
      return [{ name, value: JSON.stringify({ type: 'user', id: parseProperties(value, 'type').id }) }];
    case '-chardev':
      return [{ name, value: `null,id=${String(parseProperties(value, 'backend').id)}` }];
    case '-m':
      return [{ name, value: `size=${bytesOf(value) / sizes.memoryScale / 1024}k` }];
    case '-object': {
      const object = parseProperties(value, 'qom-type');
      if (!keptObjects.test(String(object['qom-type']))) return [];
      return [{ name, value: JSON.stringify(shrunk(object, sizes.memoryScale)) }];
    }
    case '-smp':
      return [{ name, value: String(sizes.cpus) }];
    case '-numa':
      return [{ name, value: value.replace(/cpus=[\d-]+(,cpus=[\d-]+)*/, () => `cpus=${sizes.nextCpu()}`) }];
    default:
      return [option];
  }
}

/** Turns a host device into a network card at the same address, which needs nothing from the host. */
function emulatedDevice(device: QemuDevice, count: () => number): QemuDevice | undefined {
  if (droppedDevices.test(device.driver)) return undefined;
  const only = (test: (key: string) => boolean) =>
    Object.fromEntries(Object.entries(device).filter(([key]) => test(key)));
  if (device.driver === 'arm-smmuv3') {
    return { ...only((key) => !accelerated.includes(key)), driver: device.driver };
  }
  if (device.driver !== 'vfio-pci') return device;
  const identity = { subsys_ven: Number.parseInt(standInVendor, 16), subsys: count() };
  const location = only((key) => ['id', 'bus', 'addr', 'multifunction', 'acpi-index'].includes(key));
  return { driver: 'e1000e', romfile: '', ...identity, ...location };
}

/** Turns storage into a disk of zeros with the same name; a format on top of it becomes `raw`. */
function emptyDisk(block: Record<string, unknown>): QemuOption[] {
  const node = block['node-name'];
  if (String(node).includes('pflash')) return [];
  const lower =
    typeof block.file === 'string' ? { driver: 'raw', file: block.file } : { driver: 'null-co', size: 1024 ** 2 };
  return [{ name: '-blockdev', value: JSON.stringify({ ...lower, 'node-name': node }) }];
}

/** Reduces a memory object: no huge pages, no policy for host nodes, and less memory. */
function shrunk(object: Record<string, unknown>, scale: number): Record<string, unknown> {
  if (!String(object['qom-type']).startsWith('memory-backend-')) return object;
  return { 'qom-type': 'memory-backend-ram', id: object.id, size: Number(object.size) / scale };
}

/** Reductions of the machine compared with libvirt's. */
interface Sizes {
  /** The power of two that memory is divided by so that it fits. */
  readonly memoryScale: number;
  readonly cpus: number;
  /** Assigns one CPU to each NUMA node with CPUs, in order. */
  readonly nextCpu: () => number;
}

function smaller(options: readonly QemuOption[]): Sizes {
  const total = bytesOf(options.find((option) => option.name === '-m')?.value ?? '');
  const nodes = options.filter(({ name, value }) => name === '-numa' && value?.includes('cpus='));
  let cpu = 0;
  return {
    memoryScale: 2 ** Math.max(0, Math.ceil(Math.log2(total / memoryLimitBytes))),
    cpus: Math.max(1, nodes.length),
    nextCpu: () => cpu++,
  };
}

/** Bytes in the value of `-m`, which libvirt writes as `size=4194304k[,slots=…]`. */
function bytesOf(value: string): number {
  const match = /(?:size=)?(\d+)([kMG]?)/.exec(value);
  const unit = { k: 1024, M: 1024 ** 2, G: 1024 ** 3, '': 1024 ** 2 }[match?.[2] ?? ''] ?? 1;
  return Number(match?.[1] ?? 0) * unit;
}
