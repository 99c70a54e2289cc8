import { qemuDeviceDiffers, qemuNotFound, qemuSmmuDiffers } from '../diagnostics/running.js';
import { count } from '../diagnostics/words.js';
import type { GuestAddress } from '../domain/address.js';
import { EXPANDER_MODELS, type PciController, ROOT_MODELS } from '../domain/controller.js';
import type { GuestDevice, HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import { qemuNames, readVsmmuValues, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { Check } from './check.js';

/** The properties of a QEMU device, as text. */
type Properties = ReadonlyMap<string, string>;

/** The parts of QEMU's command line that concern PCI and SMMUs. */
export interface QemuMachine {
  /** The accelerated and emulated SMMUs that have a bus, in order. */
  readonly smmus: readonly Properties[];
  /** Host devices, by id. */
  readonly devices: ReadonlyMap<string, Properties>;
  /** Ports, switches and expander buses, by id. */
  readonly controllers: ReadonlyMap<string, Properties>;
}

const CONTROLLERS = /^(pxb-pcie|pcie-root-port|ioh3420|x3130-upstream|xio3130-downstream)$/;

/**
 * Reads QEMU's arguments (libvirt 12.8 writes each device as JSON, older ones as `driver,key=value,…`).
 * @param argv the words of the command line
 */
export function readCommandLine(argv: readonly string[]): QemuMachine {
  const all = argv.flatMap((word, i) => (argv[i - 1] === '-device' ? [propertiesOf(word)] : []));
  const named = (wanted: RegExp) => {
    return new Map(
      all.flatMap((each) => (wanted.test(each.get('driver') ?? '') ? [[each.get('id') ?? '', each]] : [])),
    );
  };
  return {
    smmus: all.filter((each) => each.get('driver') === 'arm-smmuv3').map(withUpstreamNames),
    devices: named(/^vfio-pci(-nohotplug)?$/),
    controllers: named(CONTROLLERS),
  };
}

function propertiesOf(text: string): Properties {
  try {
    if (text.startsWith('{')) {
      const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
      return new Map(entries.map(([key, value]) => [key, typeof value === 'boolean' ? onOff(value) : String(value)]));
    }
  } catch {
    return new Map();
  }
  // QEMU writes a comma in a value as two commas.
  const parts = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  return new Map(
    parts.map((part, i): [string, string] => {
      const at = part.indexOf('=');
      return at < 0 ? (i === 0 ? ['driver', part] : [part, 'on']) : [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

/** Adds the values that NVIDIA's QEMU has under other names, such as `pasid`, under upstream's names. */
function withUpstreamNames(smmu: Properties): Properties {
  const { values } = readVsmmuValues((name) => smmu.get(name), qemuNames);
  return new Map([...smmu, ...Object.entries(values)]);
}

const onOff = (value: boolean): string => (value ? 'on' : 'off');

/** Returns QEMU's name for a device or controller of a running domain. */
export function aliasOf({ element }: GuestDevice | PciController): string | undefined {
  return element.child('alias')?.attribute('name');
}

/** Returns the ids of host devices that QEMU was started with and that the running domain no longer has. */
export function detachedIds(live: Domain, { devices }: QemuMachine): string[] {
  const there = new Set(live.hostDevices.map(aliasOf));
  return [...devices.keys()].filter((id) => !there.has(id));
}

/** Returns the detached devices from the definition for the next start, which has their addresses on the host. */
export function detachedDevices(live: Domain, next: Domain, qemu: QemuMachine | undefined): HostDevice[] {
  if (!qemu) return [];
  const buses = busNames(live);
  const gone = detachedIds(live, qemu).flatMap((id) => qemu.devices.get(id) ?? []);
  const there = new Set(live.hostDevices.map(({ bdf }) => bdf));
  return next.hostDevices.filter(
    ({ bdf, address }) =>
      !there.has(bdf) && address !== undefined && gone.some((device) => isAt(device, address, buses)),
  );
}

/** Compares the command line with the running domain. */
export function checkCommandLine(live: Domain, qemu: QemuMachine | undefined, qemuProblem: string): readonly Check[] {
  if (!qemu) {
    return [{ of: 'QEMU', title: 'its command line', found: '', findings: [qemuNotFound({ why: qemuProblem })] }];
  }
  return [checkSmmus(live, qemu), checkDevices(live, qemu)];
}

function checkSmmus(live: Domain, { smmus }: QemuMachine): Check {
  const buses = busNames(live);
  const wanted = live.iommus.filter(({ model, pciBus }) => model === 'smmuv3' && pciBus !== undefined);
  const differences = wanted.flatMap(({ pciBus, values }, i) => {
    const bus = buses.get(pciBus ?? ROOT_BUS) ?? '';
    const given = smmus[i];
    const actual = given?.get('primary-bus') ?? 'no bus';
    if (!given || actual !== bus) return [`SMMU ${i} on ${actual}, not on ${bus}`];
    return Object.entries(values).flatMap(([name, value]) => {
      const there = given.get(name);
      if (there === value) return [];
      return [`SMMU ${i} with ${there === undefined ? `no ${name}` : `${name}=${there}`}, not ${name}=${value}`];
    });
  });
  if (smmus.length > wanted.length) differences.push(`${smmus.length} SMMUs, not ${wanted.length}`);
  return {
    of: 'QEMU',
    title: 'the SMMUs on its command line',
    found: smmus.length === 0 ? 'none' : count(smmus.length, 'SMMU'),
    findings: differences.map((what) => qemuSmmuDiffers({ what })),
    details: smmus.map((each) => {
      const said = VSMMU_ATTRIBUTES.flatMap((name) => (each.has(name) ? [`${name}=${each.get(name)}`] : []));
      return [each.get('primary-bus'), ...said].join(' ');
    }),
  };
}

function checkDevices(live: Domain, qemu: QemuMachine): Check {
  const buses = busNames(live);
  const differences: string[] = [];
  const compare = (each: GuestDevice | PciController, name: string, given: Properties | undefined): void => {
    const { address } = each;
    if (!given || !address || isAt(given, address, buses)) return;
    differences.push(`${name} at ${given.get('bus') ?? 'no bus'}, ${given.get('addr') ?? 'no slot'}`);
  };
  for (const device of live.hostDevices) compare(device, device.bdf, qemu.devices.get(aliasOf(device) ?? ''));
  for (const controller of live.controllers) {
    if (ROOT_MODELS.has(controller.model)) continue;
    const given = qemu.controllers.get(aliasOf(controller) ?? '');
    const name = `PCI controller ${controller.index}`;
    compare(controller, name, given);
    if (EXPANDER_MODELS.has(controller.model) && Number(given?.get('bus_nr')) !== controller.busNr) {
      differences.push(given ? `${name} with bus number ${given.get('bus_nr')}` : `no ${name}`);
    }
  }
  return {
    of: 'QEMU',
    title: 'the devices on its command line',
    found: count(qemu.devices.size, 'host device'),
    findings: differences.map((what) => qemuDeviceDiffers({ what })),
  };
}

/** Returns QEMU's names for the buses of a running domain's controllers. */
function busNames(live: Domain): ReadonlyMap<number, string> {
  return new Map(live.controllers.map((each) => [each.index, aliasOf(each) ?? '']));
}

/** Returns whether QEMU was started with a device at this address: `bus` is a name, `addr` is `0x2` or `0x2.0x1`. */
function isAt(
  given: Properties,
  { bus, slot, function: func }: GuestAddress,
  buses: ReadonlyMap<number, string>,
): boolean {
  const [atSlot, atFunction = 0] = (given.get('addr') ?? '').split('.').map(Number);
  return given.get('bus') === buses.get(bus) && atSlot === slot && atFunction === func;
}
