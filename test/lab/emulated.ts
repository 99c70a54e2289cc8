/**
 * The same machine without the hardware: libvirt's command line with an emulated endpoint in each host device's place and
 * no acceleration. Buses, slots, functions, expander buses and SMMUs stay exactly as they were.
 */
import { deviceOf, parseProperties, type QemuDevice, type QemuOption } from './argv.js';

/** What only a host's SMMU can give an arm-smmuv3 (QEMU 11.1; `-device arm-smmuv3,help`). */
const accelerated = ['accel', 'ats', 'ril', 'ssidsize', 'oas', 'cmdqv'];

/** Objects that describe the machine; any other stands for something of the host's, or of libvirt's. */
const keptObjects = /^(memory-backend-\w+|acpi-generic-initiator|acpi-generic-port|rng-\w+|iothread)$/;

/** Options that a guest that only looks at its PCI bus does as well without, and the lab's host cannot give. */
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

/** Devices whose backend went with a dropped option. None of them is on a PCI bus. */
const droppedDevices = /^(tpm-|hda-|virtio-9p|vhost-)/;

/** A guest that reports what it sees needs no more than this; libvirt's own sizes may not fit this machine. */
const memoryLimitBytes = 2 * 1024 ** 3;

/** What the guest shows as the subsystem's vendor and device of a stand-in; the device is its number, from 1. */
export const standInVendor = '1af4';

/**
 * The bootable variant of a command line, as arguments for QEMU; kernel, firmware and console are the caller's.
 * The guest tells the stand-ins of host devices apart by their subsystem ids: the n-th `vfio-pci` has device id n.
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

/** A host device becomes a network card without a network, in the same place: an endpoint that needs nothing from the host. */
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

/** Storage becomes a disk of zeros under the same name; a format on top of it becomes `raw`. */
function emptyDisk(block: Record<string, unknown>): QemuOption[] {
  const node = block['node-name'];
  if (String(node).includes('pflash')) return [];
  const lower =
    typeof block.file === 'string' ? { driver: 'raw', file: block.file } : { driver: 'null-co', size: 1024 ** 2 };
  return [{ name: '-blockdev', value: JSON.stringify({ ...lower, 'node-name': node }) }];
}

/** Memory that is only there in name: no huge pages, no policy for host nodes, and less of it. */
function shrunk(object: Record<string, unknown>, scale: number): Record<string, unknown> {
  if (!String(object['qom-type']).startsWith('memory-backend-')) return object;
  return { 'qom-type': 'memory-backend-ram', id: object.id, size: Number(object.size) / scale };
}

/** How much smaller than libvirt's the machine is. */
interface Sizes {
  /** The power of two that memory is divided by so that it fits. */
  readonly memoryScale: number;
  readonly cpus: number;
  /** Every NUMA node with CPUs gets one, in order. */
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

/** Bytes of `-m`'s value, which libvirt gives as `size=4194304k[,slots=…]`. */
function bytesOf(value: string): number {
  const match = /(?:size=)?(\d+)([kMG]?)/.exec(value);
  const unit = { k: 1024, M: 1024 ** 2, G: 1024 ** 3, '': 1024 ** 2 }[match?.[2] ?? ''] ?? 1;
  return Number(match?.[1] ?? 0) * unit;
}
