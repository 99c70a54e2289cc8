import type { PciDevice } from '../generated/topology.js';
import { classInWords } from '../host/class-names.js';
import type { Host } from '../host/host.js';
import { colour, hue } from './picture/colours.js';
import { type Card, type Line, type Row, toDot } from './picture/dot.js';
import { drawDot } from './picture/svg.js';

const TITLE = 'SMMUs, and the devices behind each';

/** A host as Graphviz's DOT: its SMMUs, and the endpoints behind each, those of one IOMMU group in one box. */
export function topologyDot(host: Host): string {
  const smmus: Card[] = [];
  const groups: Card[] = [];
  const lines: Line[] = [];
  const add = (name: string, title: Row, devices: readonly PciDevice[], frame: string) => {
    smmus.push({ name, head: [{ ...title, name: 'row' }], rows: [], colour: frame });
    for (const members of byGroup(devices)) {
      const group = members[0]?.bdf ?? '';
      groups.push({ name: group, head: [], rows: members.map((device) => deviceRow(device, members)), colour: frame });
      lines.push({ from: [name, 'row'], to: [group, 'row'], colour: frame });
    }
  };
  for (const [n, { name }] of host.smmus.entries()) {
    const node = host.smmuNode(name);
    const place = node === null ? '' : `node ${node}`;
    const title = {
      cells: [
        { text: name, bold: true },
        { text: place, colour: 'faint' as const },
      ],
    };
    add(name, title, host.endpointsBehind(name), hue(n));
  }
  const without = host.endpoints.filter(({ smmu }) => smmu === null);
  if (without.length > 0) {
    const title = { cells: [{ text: 'behind no SMMUv3', bold: true }, { text: '' }] };
    add('none', title, without, colour('faint'));
  }
  const sides = [
    { name: 'smmus', title: host.smmus.length === 0 ? 'No SMMUv3' : 'SMMUs', cards: smmus },
    { name: 'devices', title: 'Devices, by IOMMU group', cards: groups },
  ];
  return toDot(TITLE, sides, lines);
}

/** A host as SVG, with light and dark colours, to be written to a file or put in an HTML page as it is. */
export function drawTopology(host: Host): Promise<string> {
  return drawDot(topologyDot(host), TITLE);
}

/** Devices of one group together, each without a group by itself, in the order of the first of each. */
function byGroup(devices: readonly PciDevice[]): readonly (readonly PciDevice[])[] {
  const groups = new Map<number | string, PciDevice[]>();
  for (const device of devices) {
    const key = device.group ?? device.bdf;
    groups.set(key, [...(groups.get(key) ?? []), device]);
  }
  return [...groups.values()];
}

function deviceRow({ bdf, class: code, vendor, device, driver, group }: PciDevice, members: readonly PciDevice[]): Row {
  return {
    ...(members[0]?.bdf === bdf && { name: 'row' }),
    cells: [
      { text: bdf, mono: true },
      { text: classInWords(code) },
      { text: `${vendor.slice(2)}:${device.slice(2)}`, mono: true, colour: 'faint' },
      { text: driver ?? 'no driver', colour: 'faint' },
      { text: group === null ? 'no group' : `group ${group}`, colour: members.length > 1 ? 'warn' : 'faint' },
    ],
  };
}
