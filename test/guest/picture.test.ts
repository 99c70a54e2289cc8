import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { darkRules } from '../../src/guest/picture/colours.js';
import { drawPlan, planDot } from '../../src/guest/picture.js';
import { predictGuest } from '../../src/guest/predict.js';
import { drawTopology, topologyDot } from '../../src/guest/topology-picture.js';
import { readTopology } from '../../src/host/snapshot.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
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
