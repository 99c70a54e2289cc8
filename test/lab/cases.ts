/**
 * The domains that the lab tests: the samples, the fixture, and random domains for the captured hosts, the same in
 * every run.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { temporaryFolder } from './cache.js';
import { asTcg } from './domain.js';
import { output } from './process.js';
import { type Endpoint, endpointsOf, type ToolOptions } from './vsmmu.js';

export interface Case {
  readonly title: string;
  /** The domain before the rewrite, for emulation by QEMU. */
  readonly xml: string;
  readonly options: ToolOptions;
  /** Whether libvirt's schema refuses the domain, which its platform starts without `--validate`. */
  readonly asCreated?: boolean;
}

/** The cases as rows for `it.for`, with their titles. */
export function titled(cases: readonly Case[]): (readonly [string, Case])[] {
  return cases.map((each) => [each.title, each] as const);
}

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(at(path), 'utf8');

/** Domain and host of each sample that is an Arm domain with host devices. */
const samples: readonly (readonly [string, string])[] = [
  ['ml-train', 'host-a'],
  ['gh200-vm', 'gh200'],
  ['gb200-vm', 'gb200'],
  ['arm-server-vm', 'arm-server'],
  ['qemu-series', 'three-smmus'],
  ['gb10-nic-vm', 'gb10'],
  ['gb200-cx8-vm', 'gb200-cx8'],
  ['kunpeng-vm', 'kunpeng'],
  ['altra-vm', 'altra'],
];

/** Domains as OpenNebula writes them, with an expander bus for each device, and the host of each. */
const openNebula: readonly (readonly [string, string])[] = [
  ['one-1', 'gb200'],
  ['one-2', 'gb200'],
  ['one-4', 'dense'],
  ['one-12', 'dense'],
];

/** Explicit values, without which a vSMMU that has no device cannot start (QEMU 11.1). */
const explicit = ['--ats', 'off', '--ril', 'on', '--ssidsize', '0', '--oas', '44', '--cmdqv', 'off'];

/** The example of the QEMU series that brought per-bus SMMUs: three of them, one device, bus numbers 0xe5, 0xee, 0xf7. */
export function seriesExample(): Case {
  // Distinct from the sample: another name, and a UUID that libvirt chooses.
  const sample = asTcg(read('samples/domains/qemu-series.xml'));
  const xml = sample.replace(/<name>.*<\/name>/, '<name>three-bridges</name>').replace(/\s*<uuid>.*<\/uuid>/, '');
  const host = ['--topology', at('samples/hosts/three-smmus.json')];
  return {
    title: 'the QEMU series’ example',
    xml,
    options: [...host, '--expander-buses', 'all', '--bus-window', '9', ...explicit],
  };
}

/** The domains of OpenNebula, merged into one expander bus per SMMU. The lab cannot have the host's huge pages. */
function openNebulaCases(): Case[] {
  return openNebula.map(([name, host]) => ({
    title: `OpenNebula's ${name} on ${host}, merged`,
    xml: asTcg(read(`samples/opennebula/${name}.xml`)).replace(/\t<memoryBacking>[\s\S]*?<\/memoryBacking>\n/, ''),
    options: ['--topology', at(`samples/hosts/${host}.json`), '--relayout'],
    asCreated: true,
  }));
}

/** The samples as they are, one with switches, and the QEMU series' example. */
export function sampleCases(): Case[] {
  const plain = samples.map(([domain, host]): Case => {
    const xml = asTcg(read(`samples/domains/${domain}.xml`));
    return { title: `${domain} on ${host}`, xml, options: ['--topology', at(`samples/hosts/${host}.json`)] };
  });
  const [title, options] = [
    'dense-vm on dense with switches',
    ['--topology', at('samples/hosts/dense.json'), '--mirror-switches'],
  ];
  const switches = { title, xml: asTcg(read('samples/domains/dense-vm.xml')), options };
  return [...plain, switches, seriesExample(), ...openNebulaCases()];
}

/** Golden files whose domains show one rule each; `test/golden/NAME/command` has the options. */
const golden: readonly string[] = [
  'bus-window-of-policy',
  'expander-bus-by-hand',
  'bypass',
  'crlf',
  'emulated-behind-vsmmu',
  'expander-bus-full',
  'group-mates',
  'grouping-device',
  'iommufd-no',
  'machine-wide-smmu',
  'mirror-switches',
  'multifunction-parts',
  'multifunction-together',
  'other-iommu',
  'spare-ports',
  'spare-ports-without-address',
  'two-smmus',
];

/** The domains of the golden files, completed with the elements that libvirt requires. */
export function goldenCases(): Case[] {
  return golden.map((name) => {
    const folder = `test/golden/${name}`;
    const [, , ...words] = read(`${folder}/command`).trim().split(' ');
    const options = words.filter((word) => !['--diff', '--verbose', `${folder}/domain.xml`].includes(word));
    const xml = asTcg(read(`${folder}/domain.xml`))
      .replace(/<name>.*<\/name>/, `<name>${name}</name>`)
      .replace('</name>', "</name><memory unit='MiB'>1024</memory><vcpu>1</vcpu>")
      .replace('<os>', "<os firmware='efi'>")
      .replace('<acpi/>', "<acpi/><gic version='3'/>")
      .replace('</features>', "</features><cpu mode='custom'><model>cortex-a72</model></cpu>");
    return {
      title: `the golden file ${name}`,
      xml,
      options: options.map((word) => (word.startsWith('samples/') ? at(word) : word)),
    };
  });
}

/** The captured hosts, unpacked in the cache folder. */
export class CapturedHosts implements Disposable {
  private readonly folder = temporaryFolder();

  /** The `sys` folder of a host of test/fixtures/hosts. */
  async sysfs(name: string): Promise<string> {
    const target = join(this.folder, name);
    if (existsSync(target)) return join(target, 'sys');
    await output(['mkdir', target]);
    await output(['tar', 'xzf', at(`test/fixtures/hosts/${name}.sysfs.tar.gz`), '-C', target]);
    return join(target, 'sys');
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Options of `vsmmu`. All of them work for every domain whose devices have addresses, which libvirt assigns. */
const optionSets: readonly ToolOptions[] = [
  [],
  ['--spare-ports', '1'],
  ['--bus-window', '5'],
  ['--grouping', 'device'],
  ['--expander-buses', 'all', ...explicit],
];

/** The same domains in every run; VSMMU_LAB_SEED changes them. */
const seed = Number(process.env.VSMMU_LAB_SEED ?? 20_260_101);

const port = (index: number, bus = 0): string => {
  const address = bus === 0 ? '' : `<address type='pci' domain='0x0000' bus='0x0${bus}' slot='0x00' function='0x0'/>`;
  return `<controller type='pci' index='${index}' model='pcie-root-port'>${address}</controller>`;
};
const randomIn = (bus: number): string =>
  `<rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x0${bus}' slot='0x00' function='0x0'/></rng>`;

/** Other parts of a user's PCI tree. Each is used alone, with controllers from index 2. */
const furniture: readonly string[] = [
  '',
  // A conventional device, for which libvirt adds a PCIe-to-PCI bridge.
  "<watchdog model='i6300esb' action='none'/>",
  "<controller type='scsi' model='virtio-scsi'/><controller type='virtio-serial'/>",
  // An expander bus of the user, with a device and without an SMMU.
  `<controller type='pci' index='2' model='pcie-expander-bus'><target busNr='100'/></controller>${port(3, 2)}${randomIn(3)}`,
  // A PCIe switch with a device below it.
  [
    port(2),
    "<controller type='pci' index='3' model='pcie-switch-upstream-port'><address type='pci' bus='0x02' slot='0x00'/></controller>",
    "<controller type='pci' index='4' model='pcie-switch-downstream-port'><address type='pci' bus='0x03' slot='0x00'/></controller>",
    "<controller type='pci' index='5' model='pcie-switch-downstream-port'><address type='pci' bus='0x03' slot='0x01'/></controller>",
    randomIn(5),
  ].join(''),
];

/** Makes `count` random domains for one captured host, with its devices, emulated devices, and multifunction slots. */
export async function randomCases(hosts: CapturedHosts, host: string, count: number): Promise<Case[]> {
  const sysfs = await hosts.sysfs(host);
  const endpoints = (await endpointsOf(sysfs)).filter(({ group, smmu }) => group !== null && smmu !== null);
  const domain = fc.record({
    devices: fc.shuffledSubarray([...endpoints], { minLength: 1, maxLength: Math.min(12, endpoints.length) }),
    interfaces: fc.boolean(),
    shared: fc.boolean(),
    disks: fc.integer({ min: 0, max: 3 }),
    networks: fc.integer({ min: 0, max: 2 }),
    random: fc.boolean(),
    usb: fc.boolean(),
    furniture: fc.constantFrom(...furniture),
    iommufd: fc.constantFrom('', "<driver iommufd='yes'/>", "<driver name='vfio'/>"),
    options: fc.constantFrom(...optionSets),
  });
  return fc.sample(domain, { seed, numRuns: count }).map((made, index) => ({
    title: `random ${index + 1} on ${host}${made.options.length === 0 ? '' : ` with ${made.options.slice(0, 2).join(' ')}`}`,
    xml: domainXml(`${host}-${index + 1}`, made),
    options: ['--sysfs', sysfs, ...made.options],
  }));
}

const plain: Omit<RandomDomain, 'devices'> = {
  interfaces: false,
  shared: false,
  disks: 1,
  networks: 1,
  random: true,
  usb: false,
  furniture: '',
  iommufd: '',
};

/** Domains that are unlikely among random ones: the largest possible, and one with an SMMU for the whole machine. */
export async function specialCases(hosts: CapturedHosts): Promise<Case[]> {
  const all = async (host: string): Promise<Case> => {
    const sysfs = await hosts.sysfs(host);
    const devices = (await endpointsOf(sysfs)).filter(({ group }) => group !== null);
    return {
      title: `every device of ${host}`,
      xml: domainXml(`all-${host}`, { ...plain, devices }),
      options: ['--sysfs', sysfs],
    };
  };
  const sysfs = await hosts.sysfs('one-smmu');
  const devices = (await endpointsOf(sysfs)).filter(({ smmu }) => smmu !== null);
  const machineWide = domainXml('machine-wide', { ...plain, devices, furniture: "<iommu model='smmuv3'/>" });
  return [
    await all('host-a'),
    await all('sixteen-smmus'),
    { title: 'an SMMU for the whole machine', xml: machineWide, options: ['--sysfs', sysfs] },
    {
      title: 'two switches of gb200, mirrored',
      xml: asTcg(read('test/golden/gb200-mirror-switches/domain.xml')),
      options: ['--topology', at('samples/hosts/gb200.json'), '--mirror-switches'],
    },
  ];
}

interface RandomDomain {
  readonly devices: readonly Endpoint[];
  /** Whether virtual functions are `<interface type='hostdev'>`. */
  readonly interfaces: boolean;
  /** Whether the first two devices are functions of one slot. */
  readonly shared: boolean;
  readonly disks: number;
  readonly networks: number;
  readonly random: boolean;
  readonly usb: boolean;
  readonly furniture: string;
  readonly iommufd: string;
}

function domainXml(name: string, made: RandomDomain): string {
  const repeat = (count: number, text: (index: number) => string): string[] =>
    Array.from({ length: count }, (_, index) => text(index));
  const sharing = made.shared && made.devices.length > 1;
  const devices = [
    '<emulator>/usr/bin/qemu-system-aarch64</emulator>',
    ...repeat(made.disks, (index) => {
      const source = `<source file='/var/lib/libvirt/images/${index}.img'/>`;
      return `<disk type='file' device='disk'><driver name='qemu' type='raw'/>${source}<target dev='vd${'abc'[index]}' bus='virtio'/></disk>`;
    }),
    made.usb ? "<controller type='usb' model='qemu-xhci'/>" : "<controller type='usb' model='none'/>",
    ...repeat(made.networks, () => "<interface type='user'><model type='virtio'/></interface>"),
    ...made.devices.map((device, index) => hostDevice(device, made, sharing && index < 2 ? index : undefined)),
    port(1),
    made.furniture,
    made.random ? "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>" : '',
    "<memballoon model='none'/>",
  ];
  const machine = "<os firmware='efi'><type arch='aarch64' machine='virt'>hvm</type></os>";
  const cpu = "<features><acpi/><gic version='3'/></features><cpu mode='custom'><model>cortex-a72</model></cpu>";
  const size = "<memory unit='MiB'>1024</memory><vcpu>1</vcpu>";
  return `<domain type='qemu'><name>${name}</name>${size}${machine}${cpu}<devices>${devices.join('\n')}</devices></domain>\n`;
}

function hostDevice(device: Endpoint, made: RandomDomain, sharedFunction: number | undefined): string {
  const [domain, bus, slot = '', fn] = device.bdf.split(/[:.]/);
  const location = `domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'`;
  const many = sharedFunction === 0 ? " multifunction='on'" : '';
  const guest =
    sharedFunction === undefined
      ? ''
      : `<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x${sharedFunction}'${many}/>`;
  if (device.physfn !== null && made.interfaces) {
    const driver = made.iommufd.includes('iommufd') ? made.iommufd : '';
    return `<interface type='hostdev' managed='yes'>${driver}<source><address type='pci' ${location}/></source>${guest}</interface>`;
  }
  return `<hostdev mode='subsystem' type='pci' managed='yes'>${made.iommufd}<source><address ${location}/></source>${guest}</hostdev>`;
}
