import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import { classInWords } from '../host/class-names.js';
import type { Host } from '../host/host.js';
import { format as dot } from './formats/dot.js';
import { format as svg } from './formats/svg.js';
import type { Card, Line, Picture, Row } from './picture/cards.js';
import { colour, hue } from './picture/colours.js';

/** Draws the picture of a host in Graphviz DOT. */
export function topologyDot(host: Host): string {
  return dot.draw(pictureTopology(host));
}

/** Draws a host as SVG, with light and dark colours. The SVG can be a file, or can be put into an HTML page unchanged. */
export function drawTopology(host: Host): string {
  return svg.draw(pictureTopology(host));
}

/** Returns the picture of a host: its SMMUs, and the endpoints behind each. Endpoints of one IOMMU group are in one box. */
export function pictureTopology(host: Host): Picture {
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
  const title = host.smmus.length === 0 ? 'No SMMUv3' : 'SMMUs';
  return {
    title: 'SMMUs, and the devices behind each',
    sides: [
      { name: 'smmus', title, cards: smmus },
      { name: 'devices', title: 'Devices, by IOMMU group', cards: groups },
    ],
    lines,
  };
}

/** Groups devices by IOMMU group (a device without one is alone), in the order of each group's first device. */
function byGroup(devices: readonly PciDevice[]): readonly (readonly PciDevice[])[] {
  return [...groupBy(devices, ({ group, bdf }) => group ?? bdf).values()];
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
