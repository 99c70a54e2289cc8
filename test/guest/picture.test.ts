import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Device, ExpanderBus, Plan } from '../../src/generated/plan.js';
import type { Picture } from '../../src/guest/picture/cards.js';
import { darkRules } from '../../src/guest/picture/colours.js';
import { drawPlan, picturePlan, planDot } from '../../src/guest/picture.js';
import { predictGuest } from '../../src/guest/predict.js';
import { drawTopology, pictureTopology, topologyDot } from '../../src/guest/topology-picture.js';
import { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { bdf } from '../host/fixture.js';
import { domainWith, hostdev, hostWith } from '../plan/example.js';

const sample = (path: string) => readFileSync(new URL(`../../samples/${path}`, import.meta.url), 'utf8');

/** Plans a sample domain for its host. */
function placed(domainName: string, hostName: string, policy: Partial<Policy> = {}) {
  const host = readTopology(sample(`hosts/${hostName}.json`), hostName);
  const domain = parseDomain(sample(`domains/${domainName}.xml`));
  const { plan: made } = plan(domain, host, { ...DEFAULT_POLICY, ...policy });
  const guest = predictGuest(parseDomain(rewrite(domain, made)));
  return [made, host, { name: domain.name, guest }] as const;
}

const elements = (element: XmlElement): XmlElement[] => [element, ...element.children.flatMap(elements)];
const all = (svg: string, name: string) => elements(parseXml(svg).root).filter((e) => e.localName === name);
const texts = (svg: string) => all(svg, 'text').map((e) => ({ text: e.text, y: Number(e.attribute('y')) }));
const edges = (svg: string) => all(svg, 'g').filter((e) => e.attribute('class') === 'edge');

const dense = placed('dense-vm', 'dense');
const picture = drawPlan(...dense);

describe('the picture of a plan', () => {
  it('is up to date in samples/', () => {
    expect(picture).toBe(sample('pictures/dense-vm.svg'));
  });

  it('has each device of the domain and its guest address as text', () => {
    const [made, , { guest }] = dense;
    const shown = texts(picture).map(({ text }) => text);
    const wanted = made.devices.flatMap(({ bdf }) => [bdf, guest.functions.find((f) => f.host === bdf)?.address]);
    expect(wanted).toHaveLength(40);
    expect(wanted.filter((text) => text === undefined || !shown.includes(text))).toEqual([]);
  });

  it('has one line per device, dashed for devices that stay on pcie.0', () => {
    const dashed = edges(picture).filter((edge) => edge.children.some((e) => e.attribute('stroke-dasharray')));
    expect([edges(picture).length, dashed.length]).toEqual([20, 3]);
  });

  it('has the SMMUs and the expander buses from top to bottom, in their order', () => {
    const [made, host] = dense;
    const y = (wanted: string) => texts(picture).find(({ text }) => text === wanted)?.y ?? Number.NaN;
    const smmus = host.smmus.map(({ name }) => y(name));
    const expanderBuses = made.expanderBuses.map(({ controllerIndex }) => y(`expander bus ${controllerIndex}`));
    for (const column of [smmus, expanderBuses]) expect(column).toEqual(column.toSorted((a, b) => a - b));
  });

  it('shows how many devices of an SMMU the domain does not have', () => {
    expect(texts(picture).map(({ text }) => text)).toContain('and 2 more, not in this domain');
  });

  it('shows free ports, and switches with the devices below them', async () => {
    const svg = drawPlan(...placed('dense-vm', 'dense', { sparePorts: 1, mirrorSwitches: true }));
    const shown = texts(svg).map(({ text }) => text.trim());
    expect(shown.filter((text) => text === 'free')).toHaveLength(5);
    expect(shown.filter((text) => text.includes('switch'))).toHaveLength(3);
  });

  it('shows that a guest has no host device', async () => {
    const svg = drawPlan(...placed('virtio-only', 'gh200'));
    expect(texts(svg).map(({ text }) => text)).toContain('no host device');
  });

  it('shows a device that the host does not have, with its line', async () => {
    const svg = drawPlan(...placed('x86-vm', 'three-smmus'));
    expect(texts(svg).map(({ text }) => text)).toContain('not on this host');
  });

  it('can be drawn without name and prediction', async () => {
    const [made, host] = dense;
    const shown = texts(drawPlan(made, host)).map(({ text }) => text);
    expect(shown).toContain('Guest');
    expect(shown.filter((text) => text.startsWith('0000:eb'))).toEqual([]);
  });
});

/** A picture as lines: cards with the names of their rows, texts with their colours, then the lines between rows. */
function describePicture({ title, sides, lines }: Picture): string[] {
  const cells = (row: Picture['sides'][0]['cards'][0]['rows'][0]) =>
    row.cells.map(({ text, colour = '', bold }) => `${bold ? '*' : ''}${text}${colour && `(${colour})`}`).join(' | ');
  return [
    title,
    ...sides.flatMap((side) => [
      `${side.name}: ${side.title}`,
      ...side.cards.flatMap((card) => [
        `  ${card.name} ${card.colour}: ${card.head.map(cells).join(' / ')}`,
        ...card.rows.map((row) => `    ${row.name ?? '-'}: ${cells(row)}`),
      ]),
    ]),
    ...lines.map(({ from, to, colour, dashed }) => `${from.join(' ')} ${dashed ? '-' : '='} ${to.join(' ')} ${colour}`),
  ];
}

describe('a picture', () => {
  const { topology } = hostWith(3, {
    1: { smmu: 0 },
    2: { smmu: 0 },
    3: { smmu: 1, group: 9 },
    4: { smmu: 1, group: 9 },
    5: { smmu: null, group: null },
    6: { smmu: 2 },
  });
  const host = new Host({
    ...topology,
    smmus: topology.smmus.map((smmu, n) => ({ ...smmu, node: n === 1 ? null : n })),
    devices: topology.devices.map((device) =>
      device.bdf === '0000:06:00.0' ? { ...device, driver: null, vfio: false } : device,
    ),
  });
  const device = (bus: number, more: Partial<Device>): Device => ({
    ...(planned.devices[0] as Device),
    bdf: bdf(`0000:0${bus}:00.0`),
    group: host.device(bdf(`0000:0${bus}:00.0`))?.group ?? null,
    smmu: host.device(bdf(`0000:0${bus}:00.0`))?.smmu ?? null,
    ...more,
  });
  const root = "<controller type='pci' index='0' model='pcie-root'/>";
  const { plan: planned } = plan(domainWith(root, hostdev(1)), host, { ...DEFAULT_POLICY, profile: 'none' });
  const bus = planned.expanderBuses[0] as ExpanderBus;
  const made: Plan = {
    ...planned,
    devices: [
      device(1, {}),
      device(3, { verdict: 'bypassed', reason: 'group-shared' }),
      device(4, { verdict: 'bypassed', reason: 'device-unassigned' }),
      device(5, { verdict: 'bypassed', reason: 'device-without-group' }),
      device(7, { verdict: 'bypassed', reason: 'device-bypassed' }),
    ],
    expanderBuses: [
      { ...bus, vsmmu: { accel: 'on', ats: 'on', ril: 'off' }, node: 1 as ExpanderBus['node'] },
      {
        ...bus,
        smmu: 'smmu3.0x1',
        busNr: 0xf0 as ExpanderBus['busNr'],
        busNumbers: 1,
        ports: [],
        vsmmu: {},
        node: null,
      },
    ],
  };

  it('of a plan has what is known of each device, and where it goes', () => {
    expect(describePicture(picturePlan(made, host, { name: 'vm' }))).toMatchInlineSnapshot(`
      [
        "Host devices and vSMMUs of vm",
        "host: Host",
        "  smmu3.0x000000000c000000 #0969da: *smmu3.0x000000000c000000 | node 0(faint)",
        "    d000001000: 0000:01:00.0 | Ethernet | group 1(faint)",
        "    -: and 1 more, not in this domain(faint)",
        "  smmu3.0x000000000c020000 #bc4c00: *smmu3.0x000000000c020000",
        "    d000003000: 0000:03:00.0 | Ethernet | group 9(warn)",
        "    d000004000: 0000:04:00.0 | Ethernet | group 9(warn)",
        "  smmu3.0x000000000c040000 #1a7f5a: *smmu3.0x000000000c040000 | node 2(faint)",
        "    -: 1 device, not in this domain(faint)",
        "  behind no SMMU #59636e: *behind no SMMUv3",
        "    d000005000: 0000:05:00.0 | Ethernet | no group(faint)",
        "    d000007000: 0000:07:00.0 |  | not on this host(warn)",
        "guest: Guest vm",
        "  expander bus 2 #0969da: *expander bus 2 | buses f7-ff, cell 1(faint) / vSMMU accel ats ril=off",
        "    d000001000: port 3 | ",
        "  expander bus 2 #1f2328: *expander bus 2 | bus f0(faint) / no vSMMU",
        "  pcie.0 #59636e: *pcie.0 | behind no vSMMU(faint)",
        "    d000003000:  | shares IOMMU group 9(faint)",
        "    d000005000:  | in no IOMMU group, cannot be assigned(faint)",
        "    d000007000:  | kept on pcie.0 by the policy(faint)",
        "smmu3.0x000000000c000000 d000001000 = expander bus 2 d000001000 #0969da",
        "smmu3.0x000000000c020000 d000003000 - pcie.0 d000003000 #59636e",
        "behind no SMMU d000005000 - pcie.0 d000005000 #59636e",
        "behind no SMMU d000007000 - pcie.0 d000007000 #59636e",
      ]
    `);
  });

  it('of a plan without devices shows that it has none', () => {
    const empty = { ...planned, devices: [], expanderBuses: [] };
    expect(describePicture(picturePlan(empty, host))).toMatchInlineSnapshot(`
      [
        "Host devices and vSMMUs",
        "host: Host",
        "  smmu3.0x000000000c000000 #0969da: *smmu3.0x000000000c000000 | node 0(faint)",
        "    -: 2 devices, not in this domain(faint)",
        "  smmu3.0x000000000c020000 #bc4c00: *smmu3.0x000000000c020000",
        "    -: 2 devices, not in this domain(faint)",
        "  smmu3.0x000000000c040000 #1a7f5a: *smmu3.0x000000000c040000 | node 2(faint)",
        "    -: 1 device, not in this domain(faint)",
        "guest: Guest",
        "  pcie.0 #59636e: no host device",
      ]
    `);
  });

  it('of a host has each device with its driver and its group', () => {
    expect(describePicture(pictureTopology(host))).toMatchInlineSnapshot(`
      [
        "SMMUs, and the devices behind each",
        "smmus: SMMUs",
        "  smmu3.0x000000000c000000 #0969da: *smmu3.0x000000000c000000 | node 0(faint)",
        "  smmu3.0x000000000c020000 #bc4c00: *smmu3.0x000000000c020000 | (faint)",
        "  smmu3.0x000000000c040000 #1a7f5a: *smmu3.0x000000000c040000 | node 2(faint)",
        "  none #59636e: *behind no SMMUv3 | ",
        "devices: Devices, by IOMMU group",
        "  0000:01:00.0 #0969da: ",
        "    row: 0000:01:00.0 | Ethernet | 8086:10d3(faint) | vfio-pci(faint) | group 1(faint)",
        "  0000:02:00.0 #0969da: ",
        "    row: 0000:02:00.0 | Ethernet | 8086:10d3(faint) | vfio-pci(faint) | group 2(faint)",
        "  0000:03:00.0 #bc4c00: ",
        "    row: 0000:03:00.0 | Ethernet | 8086:10d3(faint) | vfio-pci(faint) | group 9(warn)",
        "    -: 0000:04:00.0 | Ethernet | 8086:10d3(faint) | vfio-pci(faint) | group 9(warn)",
        "  0000:06:00.0 #1a7f5a: ",
        "    row: 0000:06:00.0 | Ethernet | 8086:10d3(faint) | no driver(faint) | group 6(faint)",
        "  0000:05:00.0 #59636e: ",
        "    row: 0000:05:00.0 | Ethernet | 8086:10d3(faint) | vfio-pci(faint) | no group(faint)",
        "smmu3.0x000000000c000000 row = 0000:01:00.0 row #0969da",
        "smmu3.0x000000000c000000 row = 0000:02:00.0 row #0969da",
        "smmu3.0x000000000c020000 row = 0000:03:00.0 row #bc4c00",
        "smmu3.0x000000000c040000 row = 0000:06:00.0 row #1a7f5a",
        "none row = 0000:05:00.0 row #59636e",
      ]
    `);
  });

  it('is drawn in DOT, and in SVG with the shorter side in the middle of its lines', async () => {
    await expect(planDot(made, host, { name: 'vm' })).toMatchFileSnapshot('../fixtures/picture.dot');
    const small = new Host({ ...topology, smmus: topology.smmus.slice(0, 1), devices: topology.devices.slice(0, 2) });
    const some = { ...made, devices: made.devices.slice(0, 1) };
    const [first] = made.expanderBuses;
    const ports = first?.ports.map((port) => ({ ...port, devices: [] })) ?? [];
    const expanderBuses = [{ ...(first as ExpanderBus), controllerIndex: 9 as never, ports }, ...made.expanderBuses];
    const svg = drawPlan({ ...some, expanderBuses }, small, { name: 'vm' });
    await expect(svg).toMatchFileSnapshot('../fixtures/picture.svg');
  });
});

describe('the picture of a host', () => {
  it.each(['host-a', 'gb200', 'x86', 'dense'])('has every endpoint: %s', async (name) => {
    const host = readTopology(sample(`hosts/${name}.json`), name);
    const shown = texts(drawTopology(host)).map(({ text }) => text);
    expect(host.endpoints.map(({ bdf }) => bdf).filter((bdf) => !shown.includes(bdf))).toEqual([]);
  });

  it('has the devices of one IOMMU group in one box', () => {
    const dot = topologyDot(readTopology(sample('hosts/dense.json'), 'dense'));
    const box = dot.split('\n').find((line) => line.includes('"0006:02:00.0" [label='));
    expect(box).toContain('0006:02:00.1');
  });

  it('has rows of the same width in each box, in DOT', () => {
    const dot = planDot(...dense);
    const boxes = dot.split('\n').filter((line) => line.includes('TABLE STYLE="ROUNDED"'));
    const widthOf = (row: string) =>
      [...row.matchAll(/ WIDTH="(-?\d+)"/g)].reduce((sum, [, width]) => sum + Number(width), 0);
    const widths = boxes.map((box) => new Set(box.split('</TR>').slice(0, -1).map(widthOf)));
    expect(boxes).toHaveLength(12);
    expect(widths.filter(({ size }) => size !== 1)).toEqual([]);
    expect(widths.flatMap((each) => [...each]).filter((width) => width <= 0)).toEqual([]);
  });

  it('has the first line of a box in the colour of its frame, in DOT', () => {
    const dot = topologyDot(readTopology(sample('hosts/host-a.json'), 'host-a'));
    const boxes = dot.split('\n').filter((line) => line.startsWith('  "smmu3.') && line.includes('[label='));
    expect(boxes.length).toBeGreaterThan(1);
    for (const box of boxes) {
      const [, frame] = / COLOR="(#\w+)" BGCOLOR/.exec(box) ?? [];
      const [name, node] = [...box.matchAll(/<FONT COLOR="(#\w+)"/g)].map(([, colour]) => colour);
      expect(name).toBe(frame);
      expect(node).not.toBe(frame);
    }
  });

  it('can be drawn for an empty host', async () => {
    expect(texts(drawTopology(hostWith(0, {}))).map(({ text }) => text)).toContain('No SMMUv3');
  });
});

describe('pictures on a page', () => {
  it('have no ids, so that they do not clash', () => {
    expect(elements(parseXml(picture).root).filter((e) => e.attribute('id') !== undefined)).toEqual([]);
  });

  it('have styles that apply only to themselves', () => {
    const [style] = all(picture, 'style');
    const selectors = [...(style?.text ?? '').replace(/@media[^{]*\{/, '').matchAll(/([^{}]+)\{[^{}]*\}/g)];
    expect(selectors.length).toBeGreaterThan(10);
    expect(selectors.filter(([, selector = '']) => !selector.trim().startsWith('.vsmmu-picture'))).toEqual([]);
  });

  it('have a dark variant of each colour', () => {
    const used = elements(parseXml(picture).root).flatMap((e) => [e.attribute('fill'), e.attribute('stroke')]);
    const rules = darkRules('x');
    const colours = new Set(used.filter((each) => each !== undefined && each !== 'none'));
    expect(colours.size).toBeGreaterThan(7);
    expect([...colours].filter((each) => !rules.includes(`"${each}"`))).toEqual([]);
  });

  it('load nothing and run nothing', () => {
    expect(picture).not.toMatch(/<(a|script|image|use|foreignObject)\b|href=|url\(/);
  });
});

describe('untrusted text in a picture', () => {
  const evil = `"><script>alert('$(id)')</script>&amp;\\N\\"]]> -- ümläut\n\u0007\u009b31m\u202e`;
  const host = hostWith(1, { 1: { smmu: 0 } });
  const { plan: made } = plan(domainWith("<controller type='pci' index='0' model='pcie-root'/>", hostdev(1)), host, {
    ...DEFAULT_POLICY,
    profile: 'none',
  });
  // A plan may come from a file, and values of a vSMMU come from the domain.
  const stored = {
    ...made,
    expanderBuses: made.expanderBuses.map((expanderBus) => ({ ...expanderBus, vsmmu: { oas: '"x"<b>' } })),
  };

  it('appears only as text', async () => {
    const svg = drawPlan(stored, host, { name: evil });
    expect(all(svg, 'script')).toEqual([]);
    const shown = texts(svg).map(({ text }) => text);
    expect(shown.some((text) => text.includes("<script>alert('$(id)')</script>&amp;\\N"))).toBe(true);
    expect(shown).toContain('vSMMU oas="x"<b>');
  });

  it('cannot end a string in DOT', () => {
    expect(planDot(stored, host, { name: evil }).split('\n')[0]).toBe(
      `digraph "Host devices and vSMMUs of \\"><script>alert('$(id)')</script>&amp;\\\\N\\\\\\"]]> -- ümläut\\\\u000a\\\\u0007\\\\u009b31m\\\\u202e" {`,
    );
  });
});
