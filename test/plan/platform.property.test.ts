import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { revert } from '../../src/edit/undo/revert.js';
import { validate } from '../../src/generated/plan.validate.js';
import type { PciDevice } from '../../src/generated/topology.js';
import type { Policy } from '../../src/policy/policy.js';
import { largeBar } from './devices.js';
import { domainOf, hostOf, list, type NodeSpec, planAndRewrite } from './guest.js';

const GIB = 2 ** 30;
const GRACE = { vendor: '0x10de', device: '0x2941' };
const INITIATORS = 8;

const device = fc.record({
  grace: fc.boolean(),
  node: fc.constantFrom(0, 1, null),
  bars: fc.array(fc.constantFrom(2 ** 21, 16 * GIB, 128 * GIB), { maxLength: 3 }),
  given: fc.boolean(),
});

const cell = fc.record({
  memory: fc.constantFrom(0, 1024),
  bound: fc.constantFrom('0', '1', '0-1', ''),
  pinned: fc.constantFrom('0-3', '4', '3-4', ''),
  distances: fc.boolean(),
});

const scene = fc.record({
  devices: fc.array(device, { minLength: 1, maxLength: 5 }),
  cells: fc.array(cell, { maxLength: 3 }),
  /** Whether the host links its Generic Initiators to devices. */
  linked: fc.boolean(),
  distance: fc.integer({ min: 10, max: 255 }),
  hole: fc.constantFrom('', "<pcihole64 unit='GiB'>512</pcihole64>", "<pcihole64 unit='TB'>3</pcihole64>"),
  policy: fc.record<Partial<Policy>>({
    numa: fc.constantFrom('existing', 'create'),
    initiators: fc.constantFrom('auto', 'auto', 'none'),
    grouping: fc.constantFrom('smmu', 'device'),
  }),
});
type PlanView = typeof scene extends fc.Arbitrary<infer T> ? T : never;

const bdfOf = (i: number): string => `000${i}:01:00.0`;

function build({ devices, cells, linked, distance, hole }: PlanView): { xml: string; host: ReturnType<typeof hostOf> } {
  const nodes: NodeSpec[] = [{ cpus: '0-3' }, { cpus: '4-7' }];
  for (const [i, { grace }] of devices.entries()) {
    const owner = linked ? { device: bdfOf(i) } : {};
    if (grace) nodes.push(...Array.from({ length: INITIATORS }, () => ({ initiator: true, ...owner })));
  }
  const described = devices.map(({ grace, node, bars }, i): [string, Partial<PciDevice>] => [
    bdfOf(i),
    { ...(grace && GRACE), node, bars: bars.map((size, index) => largeBar(size, index * 2)) },
  ]);
  const host = hostOf(Object.fromEntries(described), nodes, (from, to) => (from === to ? 10 : distance));
  const siblings = "<distances><sibling id='0' value='10'/></distances>";
  const cellElements = cells.map(({ memory, distances }, i) => {
    return `<cell id='${i}' cpus='${i}' memory='${memory}'>${distances && i === 0 ? siblings : ''}</cell>`;
  });
  const memnodes = cells.map(({ bound }, i) => bound && `<memnode cellid='${i}' mode='strict' nodeset='${bound}'/>`);
  const pins = cells.map(({ pinned }, i) => pinned && `<vcpupin vcpu='${i}' cpuset='${pinned}'/>`);
  const content = `<memory>4096</memory><vcpu>4</vcpu>
  <cputune>${pins.join('')}</cputune>
  <numatune>${memnodes.join('')}</numatune>
  ${cells.length > 0 ? `<cpu><numa>${cellElements.join('')}</numa></cpu>` : ''}`;
  const given = devices.flatMap((d, i) => (d.given || i === 0 ? [bdfOf(i)] : []));
  const root = "<controller type='pci' index='0' model='pcie-root'";
  const xml = domainOf(given, content).replace(`${root}/>`, `${root}>${hole}</controller>`);
  return { xml, host };
}

function placed(made: PlanView): ReturnType<typeof planAndRewrite> | undefined {
  const { xml, host } = build(made);
  try {
    return planAndRewrite(xml, host, made.policy);
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

describe('whatever the devices, the cells and their bindings', () => {
  it('the domain is refused, or a second run changes nothing', () => {
    let done = 0;
    fc.assert(
      fc.property(scene, (made) => {
        const first = placed(made);
        if (!first) return;
        done++;
        expect(planAndRewrite(first.xml, build(made).host, made.policy).xml).toBe(first.xml);
      }),
    );
    expect(done).toBeGreaterThan(20);
  });

  it('revert restores the domain byte for byte', () => {
    let changed = 0;
    fc.assert(
      fc.property(scene, (made) => {
        const result = placed(made);
        if (!result?.plan.changed) return;
        changed++;
        expect(revert(parseDomain(result.xml)).xml).toBe(build(made).xml);
      }),
    );
    expect(changed).toBeGreaterThan(20);
  });

  it('the plan conforms to its schema', () => {
    fc.assert(
      fc.property(scene, (made) => {
        const result = placed(made);
        if (result)
          expect(validate(JSON.parse(JSON.stringify(result.plan))), JSON.stringify(validate.errors)).toBe(true);
      }),
    );
  });

  it('every cell has a unique id, in order, and libvirt accepts every distance', () => {
    fc.assert(
      fc.property(scene, (made) => {
        const result = placed(made);
        if (!result) return;
        const { cells } = parseDomain(result.xml).numa;
        expect(cells.map(({ id }) => id)).toEqual(cells.map((_, i) => i));
        for (const { id, distances } of cells) {
          for (const [sibling, value] of distances) {
            expect(value === 10).toBe(sibling === id);
            expect(value).toBeLessThanOrEqual(255);
          }
        }
      }),
    );
  });

  it('no two devices share the cell of a Generic Initiator, and no expander bus has such a cell', () => {
    fc.assert(
      fc.property(scene, (made) => {
        const result = placed(made);
        if (!result) return;
        const own = result.plan.devices.flatMap(({ nodeset }) => list(nodeset));
        expect(new Set(own).size).toBe(own.length);
        const { cells } = parseDomain(result.xml).numa;
        for (const { node } of result.plan.expanderBuses) {
          if (node === null) continue;
          expect(cells[node]?.cpus.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('pcihole64 holds all the BARs of the guest, is a power of two and no smaller than before', () => {
    fc.assert(
      fc.property(scene, (made) => {
        const result = placed(made);
        if (!result) return;
        const before = parseDomain(build(made).xml).pciHole64?.size ?? 0;
        const after = parseDomain(result.xml).pciHole64?.size ?? 2 ** 29;
        const bytes = made.devices
          .filter((d, i) => d.given || i === 0)
          .flatMap((d) => d.bars)
          .reduce((a, b) => a + b, 0);
        expect(after).toBeGreaterThanOrEqual(Math.max(before, bytes / 1024));
        if (bytes > 0) expect(Math.log2(after) % 1).toBe(0);
      }),
    );
  });
});
