/** Reads the command line that libvirt makes for QEMU (`virsh domxml-to-native qemu-argv`). */

/** An option of QEMU with its value, if it has one. */
export interface QemuOption {
  /** With its dash: `-device`. */
  readonly name: string;
  readonly value: string | undefined;
}

/** A `-device`, from either of QEMU's two syntaxes. Values are text, except those of other JSON types. */
export type QemuDevice = Readonly<Record<string, unknown>> & { readonly driver: string };

/**
 * The parts of a command line that a plan determines. A bus has its name in QEMU: the controller's alias, which is
 * `pci.N` (N: its index) unless the domain gives it one.
 */
export interface PciLayout {
  readonly expanderBuses: readonly {
    readonly id: string;
    readonly busNr: number;
    readonly numaNode: number | undefined;
  }[];
  readonly smmus: readonly { readonly expanderBus: string; readonly accel: boolean; readonly position: number }[];
  readonly ports: readonly {
    readonly id: string;
    readonly bus: string;
    readonly addr: string;
    readonly chassis: number;
  }[];
  readonly hostDevices: readonly {
    /** Index of the domain's hostdev, from 0. With iommufd the command line has no host address (libvirt 12.8). */
    readonly index: number;
    readonly host: string | undefined;
    readonly bus: string;
    readonly addr: string;
    readonly iommufd: boolean;
    readonly position: number;
  }[];
}

/** Splits a line into words as a POSIX shell does; libvirt quotes with single quotes and backslashes only. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let started = false;
  for (const [piece] of line.matchAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\s+|[^\s'"\\]+/gs)) {
    if (/^\s/.test(piece) || piece === '\\\n') {
      if (started) words.push(word);
      word = '';
      started = false;
      continue;
    }
    started = true;
    if (piece.startsWith("'")) word += piece.slice(1, -1);
    else if (piece.startsWith('"')) word += piece.slice(1, -1).replace(/\\(.)/g, '$1');
    else word += piece.startsWith('\\') ? piece.slice(1) : piece;
  }
  if (started) words.push(word);
  return words;
}

/** Returns the options of a command line, without the environment and the program's name. */
export function parseArgv(line: string): QemuOption[] {
  const words = shellWords(line.trim());
  const first = words.findIndex((word) => word.startsWith('-'));
  const options: QemuOption[] = [];
  for (const word of first < 0 ? [] : words.slice(first)) {
    const last = options.at(-1);
    if (word.startsWith('-') || last === undefined) options.push({ name: word, value: undefined });
    else options[options.length - 1] = { name: last.name, value: word };
  }
  return options;
}

/** Reads JSON, or `driver,key=value,…` (in which a doubled comma stands for a comma). */
export function parseProperties(value: string, firstKey: string): Record<string, unknown> {
  if (value.startsWith('{')) return JSON.parse(value) as Record<string, unknown>;
  const parts = value.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  return Object.fromEntries(
    parts.map((part, index) => {
      const at = part.indexOf('=');
      if (at < 0) return index === 0 ? [firstKey, part] : [part, 'on'];
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

/** Returns the device of a `-device` option, or undefined for any other option. */
export function deviceOf(option: QemuOption): QemuDevice | undefined {
  if (option.name !== '-device' || option.value === undefined) return undefined;
  const properties = parseProperties(option.value, 'driver');
  return { ...properties, driver: String(properties.driver) };
}

/** Returns the parts of a command line that a plan determines. Positions count `-device`s from 0. */
export function pciLayout(options: readonly QemuOption[]): PciLayout {
  const devices = options.flatMap((option) => deviceOf(option) ?? []);
  const text = (value: unknown): string => (value === undefined ? '' : String(value));
  const each = <T>(driver: string, make: (device: QemuDevice, position: number) => T): T[] =>
    devices.flatMap((device, position) => (device.driver === driver ? [make(device, position)] : []));
  return {
    expanderBuses: each('pxb-pcie', (device) => ({
      id: text(device.id),
      busNr: Number(device.bus_nr),
      numaNode: device.numa_node === undefined ? undefined : Number(device.numa_node),
    })),
    smmus: each('arm-smmuv3', (device, position) => ({
      expanderBus: text(device['primary-bus']),
      accel: isOn(device.accel),
      position,
    })),
    ports: each('pcie-root-port', (device) => ({
      id: text(device.id),
      bus: text(device.bus),
      addr: text(device.addr),
      chassis: Number(device.chassis),
    })),
    hostDevices: each('vfio-pci', (device, position) => ({
      index: Number(/^hostdev(\d+)$/.exec(text(device.id))?.[1]),
      host: device.host === undefined ? undefined : text(device.host),
      bus: text(device.bus),
      addr: text(device.addr),
      iommufd: device.iommufd !== undefined,
      position,
    })),
  };
}

/** The form in which libvirt prints a slot and function: `0x2`, `0x2.0x1`. */
export function addrText(slot: number, fn: number): string {
  return fn === 0 ? `0x${slot.toString(16)}` : `0x${slot.toString(16)}.0x${fn.toString(16)}`;
}

function isOn(value: unknown): boolean {
  return value === true || value === 'on';
}
