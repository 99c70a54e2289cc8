import type { PciDevice, Topology } from '../../src/generated/topology.js';
import type { Random } from './random.js';

/** A device of a random domain. */
interface Made {
  readonly name: string;
  /** Start tag, content without alias and address. */
  readonly open: string;
  readonly content: string;
  /** The slot on the host, if the functions of that slot also share a slot in the guest. */
  readonly slotOf?: string;
  readonly unassigned?: boolean;
}

/** Makes a random domain's XML as a user could write it, or as libvirt prints it. */
export function randomDomain(random: Random, host: Topology): string {
  const endpoints = host.devices.filter(({ bridge }) => !bridge);
  const many = random.chance(0.1) ? random.int(8, 24) : random.int(0, 7);
  const hostDevices = random.some(endpoints, many).map((device) => madeOf(random, device));
  const others = random.some(EMULATED, random.int(0, EMULATED.length));
  const devices = shuffled(random, [...hostDevices, ...others]);
  return documentOf(random, host, devices);
}

const EMULATED: readonly Made[] = [
  { name: 'rng', open: "<rng model='virtio'>", content: "<backend model='random'>/dev/urandom</backend>" },
  { name: 'controller', open: "<controller type='usb' index='0' model='qemu-xhci'>", content: '' },
  { name: 'controller', open: "<controller type='scsi' index='0' model='virtio-scsi'>", content: '' },
  { name: 'interface', open: "<interface type='user'>", content: "<model type='virtio'/>" },
  { name: 'interface', open: "<interface type='user'>", content: "<model type='e1000e'/>" },
  {
    name: 'disk',
    open: "<disk type='file' device='disk'>",
    content: "<source file='/a.img'/><target dev='vda' bus='virtio'/>",
  },
  { name: 'memballoon', open: "<memballoon model='virtio'>", content: '' },
];

function madeOf(random: Random, { bdf, physfn }: PciDevice): Made {
  const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
  const written = random.chance(0.1) ? `${Number.parseInt(bus, 16)}` : `0x${bus}`;
  const address = `domain='0x${domain}' bus='${written}' slot='0x${slot}' function='0x${func}'`;
  const managed = random.chance(0.8) ? " managed='yes'" : '';
  const iommufd = random.chance(0.1) ? "<driver iommufd='yes'/>" : '';
  const unassigned = random.chance(0.03);
  if (physfn !== null && random.chance(0.3)) {
    const source = `<source><address type='pci' ${address}/></source>`;
    return { name: 'interface', open: `<interface type='hostdev'${managed}>`, content: iommufd + source };
  }
  const open = `<hostdev mode='subsystem' type='pci'${managed}>`;
  const slotOf = random.chance(0.5) ? `${domain}:${bus}:${slot}` : undefined;
  const content = `${iommufd}<source><address ${address}/></source>`;
  return { name: 'hostdev', open, content, unassigned, ...(slotOf !== undefined && !unassigned && { slotOf }) };
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  return list.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T);
}

const at = (bus: number, slot: number, func = 0, multifunction = false): string =>
  `<address type='pci' domain='0x0000' bus='0x${bus.toString(16).padStart(2, '0')}' slot='0x${slot.toString(16).padStart(2, '0')}' function='0x${func}'${multifunction ? " multifunction='on'" : ''}/>`;

/** Gives devices addresses on root ports as libvirt does, or no addresses. */
function documentOf(random: Random, host: Topology, devices: readonly Made[]): string {
  const addressed = random.chance(0.65);
  const lines: string[] = [];
  const controllers: string[] = ["<controller type='pci' index='0' model='pcie-root'/>"];
  let ports = 0;
  const newPort = (): number => {
    const index = ++ports;
    const [slot, func] = [1 + Math.floor((index - 1) / 8), (index - 1) % 8];
    const target = random.chance(0.8) ? `<target chassis='${index}' port='0x${(slot * 8 + func).toString(16)}'/>` : '';
    const address = at(0, slot, func, func === 0);
    controllers.push(`<controller type='pci' index='${index}' model='pcie-root-port'>${target}${address}</controller>`);
    return index;
  };
  const slots = new Map<string, { bus: number; functions: number }>();
  for (const [n, { open, content, name, slotOf, unassigned = false }] of devices.entries()) {
    let address = '';
    if (unassigned) address = "<address type='unassigned'/>";
    else if (addressed && random.chance(0.95)) {
      const shared = slotOf === undefined ? undefined : slots.get(slotOf);
      if (shared && shared.functions < 8) address = at(shared.bus, 0, shared.functions++);
      else {
        const bus = newPort();
        if (slotOf !== undefined) slots.set(slotOf, { bus, functions: 1 });
        address = at(bus, 0, 0, slotOf !== undefined);
      }
    }
    lines.push(`${open}${content}<alias name='ua-d${n}'/>${address}</${name}>`);
  }
  for (let free = addressed ? random.int(0, 4) : 0; free > 0; free--) newPort();
  if (addressed || random.chance(0.2)) lines.unshift(...controllers);
  if (!devices.some(({ name }) => name === 'memballoon')) lines.push("<memballoon model='none'/>");
  if (!devices.some(({ open }) => open.includes("'usb'"))) lines.push("<controller type='usb' model='none'/>");
  const indent = random.pick(['    ', '\t\t', '']);
  const gap = indent === '' ? '' : '\n';
  const text = `<domain type='kvm'>
  <name>judged</name>
  <memory unit='KiB'>4194304</memory>
  <vcpu>8</vcpu>
${numa(random, host)}
  <os firmware='efi'><type arch='aarch64' machine='virt'>hvm</type></os>
  <features><acpi/><gic version='3'/></features>
  <devices>${gap}${lines.map((line) => indent + line + gap).join('')}  </devices>
</domain>
`;
  return random.chance(0.2) ? text.replaceAll("'", '"') : text;
}

/** Returns no cells, cells that are bound to host nodes, or cells without a binding. */
function numa(random: Random, { nodes }: Topology): string {
  const cpus = nodes.filter((node) => node.cpus !== '');
  const cells = cpus.map(({ id }, n) => `<cell id='${id}' cpus='${n * 4}-${n * 4 + 3}' memory='2097152' unit='KiB'/>`);
  const binding = cpus.map(({ id }) => `<memnode cellid='${id}' mode='strict' nodeset='${id}'/>`);
  const kind = random.int(0, 2);
  if (kind === 0) return '';
  const tune = kind === 1 ? `  <numatune><memory mode='strict' nodeset='0-1'/>${binding.join('')}</numatune>\n` : '';
  return `${tune}  <cpu mode='host-passthrough'><numa>${cells.join('')}</numa></cpu>`;
}
