import { CHOSEN_ATTRIBUTES } from '../../domain/vsmmu-attributes.js';
import type { NumaNode, PciDevice, SmmuFeatures } from '../../generated/topology.js';
import { classInWords } from '../../host/class-names.js';
import type { Host } from '../../host/host.js';

const WIDTH = 80;
const GIB = 2 ** 30;

/** BARs of at least this size are shown: the guest's MMIO window must have room for them. */
const LARGE_BAR = GIB;

/** The widths of the columns that depend on the host. */
interface Columns {
  readonly bdf: number;
  readonly kind: number;
  readonly driver: number;
}

/**
 * Renders a host as text: its SMMUs with the endpoints behind each, the endpoints behind none, and its NUMA nodes. 80
 * columns, no colour, with a line end. Bridges are named only if there is more than a root port above a device.
 */
export function renderTopology(host: Host): string {
  const columns: Columns = {
    bdf: widest(host.endpoints, (device) => device.bdf),
    kind: widest(host.endpoints, (device) => classInWords(device.class)),
    driver: widest(host.endpoints, (device) => device.driver ?? '-'),
  };
  const section = (title: string, devices: readonly PciDevice[]): string =>
    [title, ...devices.flatMap((device, n) => deviceLines(host, device, columns, n === devices.length - 1))].join('\n');

  const sections = host.smmus.map(({ name, features }) => {
    const node = host.smmuNode(name);
    const devices = host.endpointsBehind(name);
    const title = [name, ...(node === null ? [] : [`node ${node}`]), ...featureWords(features)].join('  ');
    return section(devices.length > 0 ? title : `${title}  no device behind it`, devices);
  });
  if (host.smmus.length === 0) sections.push('This host has no SMMUv3.');
  const without = host.endpoints.filter((device) => device.smmu === null);
  if (without.length > 0) sections.push(section('Behind no SMMUv3', without));
  if (host.nodes.length > 0) sections.push(['NUMA nodes', ...nodeLines(host.nodes)].join('\n'));
  return `${sections.join('\n\n')}\n`;
}

/** Returns the known features of an SMMU that correspond to vSMMU attributes: `ats=on ril=off oas=48`. */
function featureWords({ nesting, ...values }: SmmuFeatures = {}): string[] {
  const words = CHOSEN_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    // Most hosts have no command queues, so `cmdqv=off` is not shown.
    return value === undefined || (name === 'cmdqv' && !value)
      ? []
      : [`${name}=${typeof value === 'number' ? value : value ? 'on' : 'off'}`];
  });
  return [...(words.length > 0 ? [words.join(' ')] : []), ...(nesting === false ? ['no nested translation'] : [])];
}

function deviceLines(host: Host, device: PciDevice, columns: Columns, last: boolean): string[] {
  const { bdf, vendor, device: id, driver } = device;
  const fields = [
    bdf.padEnd(columns.bdf),
    classInWords(device.class).padEnd(columns.kind),
    `${vendor.slice(2)}:${id.slice(2)}`,
    (driver ?? '-').padEnd(columns.driver),
  ];
  const indent = ' '.repeat(columns.bdf + 2);
  const lines = [`${last ? '└─' : '├─'} ${fields.join('  ')} `];
  for (const [n, note] of notes(host, device).entries()) {
    const separator = n === 0 ? ' ' : ', ';
    const line = lines.at(-1) ?? '';
    if (line.length + separator.length + note.length <= WIDTH) lines[lines.length - 1] = line + separator + note;
    else lines.push(`${last ? '  ' : '│ '} ${indent}${note}`);
  }
  return lines.map((line) => line.trimEnd());
}

/** Returns notes about a device: IOMMU group, physical function, bridges above it, large BARs. */
function notes(host: Host, device: PciDevice): string[] {
  const { group, physfn, bars } = device;
  const mates = host.groupMates(device).map(({ bdf, bridge }) => (bridge ? `bridge ${bdf}` : bdf));
  const above = host.bridgesAbove(device);
  // A root port alone is not shown. A switch is named by its upstream port, which is above the downstream port.
  const [bridge, upstream] = above;
  const large = bars.filter((bar) => bar.size >= LARGE_BAR);
  const shared = mates.length > 0 ? ` with ${mates.slice(0, 3).join(' ')}${mates.length > 3 ? ' …' : ''}` : '';
  return [
    group === null ? 'no group' : `group ${group}${shared}`,
    ...(physfn === null ? [] : [`VF of ${physfn}`]),
    ...(above.length === 2 && bridge ? [`below bridge ${bridge.bdf}`] : []),
    ...(above.length > 2 && upstream ? [`below switch ${upstream.bdf}`] : []),
    ...large.map((bar) => `BAR${bar.index} ${inUnits(bar.size)}`),
  ];
}

/** Returns one line per node. Consecutive nodes with the same description, such as the eight of a GPU, share a line. */
function nodeLines(nodes: readonly NumaNode[]): string[] {
  const rows: { first: number; last: number; text: string }[] = [];
  for (const node of nodes) {
    const text = describeNode(node);
    const row = rows.at(-1);
    if (row && row.text === text && row.last === node.id - 1) row.last = node.id;
    else rows.push({ first: node.id, last: node.id, text });
  }
  const name = (row: (typeof rows)[number]): string =>
    row.first === row.last ? `${row.first}` : `${row.first}-${row.last}`;
  const width = widest(rows, name);
  return rows.map((row) => `   ${name(row).padEnd(width)}  ${row.text}`);
}

function describeNode({ cpus, memory, memoryKiB, initiator, device }: NumaNode): string {
  const size = memory && memoryKiB !== undefined ? `${inUnits(memoryKiB * 1024)} of memory` : memory ? 'memory' : '';
  const kind = initiator ? `Generic Initiator${device === null ? '' : ` of ${device}`}` : '';
  return [kind, cpus && `CPUs ${cpus}`, size].filter((part) => part !== '').join(', ') || 'empty';
}

/** Formats a size in the largest unit in which it is at least 1. */
function inUnits(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Math.round(bytes / 1024 ** power)} ${units[power]}`;
}

function widest<T>(items: readonly T[], text: (item: T) => string): number {
  return Math.max(0, ...items.map((item) => text(item).length));
}
