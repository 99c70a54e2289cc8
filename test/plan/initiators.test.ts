import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import type { PciDevice } from '../../src/generated/topology.js';
import type { Host } from '../../src/host/host.js';
import { needsWholeHost } from '../../src/plan/initiators.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { domainOf, hostOf, list, type NodeSpec, planAndRewrite, refusals } from './guest.js';

const grace = { vendor: '0x10de', device: '0x2941' } satisfies Partial<PciDevice>;
const [FIRST, SECOND, NIC] = ['0008:01:00.0', '0009:01:00.0', '0000:03:00.0'] as const;
const sockets: NodeSpec[] = [{ cpus: '0-3' }, { cpus: '4-7' }];
const initiators = (device?: string, count = 8): NodeSpec[] =>
  Array.from({ length: count }, () => ({ initiator: true, ...(device && { device }) }));

const devices = { [NIC]: { node: 0 }, [FIRST]: { ...grace, node: 0 }, [SECOND]: { ...grace, node: 1 } };
/** A different distance for each pair of nodes. */
const apart = (from: number, to: number): number => (from === to ? 10 : 20 + from + to);
const inOrder = hostOf(devices, [...sockets, ...initiators(), ...initiators()], apart);
const linked = hostOf(devices, [...sockets, ...initiators(SECOND), ...initiators(FIRST)], apart);

const guest = `<numatune><memnode cellid='0' mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='1'/></numatune>
  <cpu><numa><cell id='0' cpus='0-1' memory='1024'/><cell id='1' cpus='2-3' memory='1024'/></numa></cpu>`;
const only = `<numatune><memnode cellid='0' mode='strict' nodeset='0'/></numatune>
  <cpu><numa><cell id='0' cpus='0-1' memory='1024'/></numa></cpu>`;

describe('the Generic Initiators of a device', () => {
  it('are cells without CPUs and memory, numbered after the others', () => {
    const { plan, xml } = planAndRewrite(domainOf([SECOND], guest), inOrder);
    expect(plan.devices.map((d) => d.nodeset)).toEqual(['2-9']);
    expect(xml).toContain("<acpi nodeset='2-9'/>");
    expect(xml.match(/<cell id='\d+' memory='0' unit='KiB'>/g)).toHaveLength(8);
  });

  it.for([
    ['in order, if the host links no node to a device', inOrder, [10, 11, 12, 13, 14, 15, 16, 17]],
    ['the nodes that the host links to the device', linked, [2, 3, 4, 5, 6, 7, 8, 9]],
  ] as const)('stand for nodes of the host: %s', ([, host, nodes]) => {
    const { plan } = planAndRewrite(domainOf([SECOND], guest), host);
    expect(plan.numa.initiators.map(({ hostNode }) => hostNode)).toEqual(nodes);
  });

  it.for<[string, string[], Partial<Policy>]>([
    ['a device whose platform has none', [NIC], {}],
    ['a device that is not behind a vSMMU', [FIRST], { bypass: [FIRST as PciDevice['bdf']] }],
    ['initiators: "none"', [FIRST], { initiators: 'none' }],
    ['profile: "none"', [FIRST], { profile: 'none' }],
  ])('are left out for %s', ([, given, policy]) => {
    expect(planAndRewrite(domainOf(given, guest), inOrder, policy).plan.numa.initiators).toEqual([]);
  });

  it('are also eight if the host driver has added memory to the first of them', () => {
    const online = initiators().map((node, i) => ({ ...node, memory: i === 0 }));
    const host = hostOf(devices, [...sockets, ...online, ...online], apart);
    const { plan } = planAndRewrite(domainOf([FIRST, SECOND], guest), host);
    expect(plan.devices.map((d) => d.nodeset)).toEqual(['2-9', '10-17']);
    expect(plan.numa.initiators.map(({ hostNode }) => hostNode)).toEqual(Array.from({ length: 16 }, (_, i) => i + 2));
  });

  it('stay if a user has written them', () => {
    const xml = domainOf([FIRST], guest).replace('</source>', "</source><acpi nodeset='1'/>");
    const { plan } = planAndRewrite(xml, inOrder);
    expect([plan.devices[0]?.nodeset, plan.numa]).toEqual(['1', { created: null, initiators: [], distances: [] }]);
  });

  it('stay when a second device is added, whose cells come after them', () => {
    const first = planAndRewrite(domainOf([FIRST], guest), inOrder).xml;
    const hostdev = domainOf([SECOND]).match(/ {4}<hostdev[\s\S]*<\/hostdev>\n/)?.[0] ?? '';
    const both = first.replace('    <iommu', `${hostdev}    <iommu`);
    const { plan, xml } = planAndRewrite(both, inOrder);
    expect(plan.devices.map((d) => d.nodeset)).toEqual(['2-9', '10-17']);
    expect(planAndRewrite(xml, inOrder).xml).toBe(xml);
    const among = plan.numa.distances.filter(({ cell, sibling }) => cell === 2 && sibling === 17);
    expect(among.map(({ value }) => value)).toEqual([apart(2, 17)]);
  });

  it('keep an existing acpi-index', () => {
    const xml = domainOf([FIRST], guest).replace('</source>', "</source><acpi index='7'/>");
    expect(planAndRewrite(xml, inOrder).xml).toContain("<acpi index='7' nodeset='2-9'/>");
  });

  it('are added to the one cell that --numa create makes', () => {
    const xml = domainOf([FIRST], "<memory>1024</memory><vcpu>2</vcpu><numatune><memory nodeset='0'/></numatune>");
    const { plan } = planAndRewrite(xml, inOrder, { numa: 'create' });
    expect(list(plan.devices[0]?.nodeset)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(plan.numa.distances).toHaveLength(81);
  });

  it('are left out with a warning if the guest has no cells', () => {
    const { plan, diagnostics } = planAndRewrite(domainOf([FIRST]), inOrder);
    expect(plan.numa.initiators).toEqual([]);
    const warnings = diagnostics.filter((d) => d.severity === 'warning').map((d) => d.code);
    expect(warnings).toEqual(expect.arrayContaining(['initiators-left-out']));
  });

  it('are added once: a second run changes nothing', () => {
    for (const host of [inOrder, linked]) {
      const { xml } = planAndRewrite(domainOf([FIRST, NIC, SECOND], guest), host);
      expect(planAndRewrite(xml, host).xml).toBe(xml);
    }
  });
});

describe('distances', () => {
  const value = (host: Host, from: number, to: number, content = guest) =>
    planAndRewrite(domainOf([FIRST], content), host).plan.numa.distances.find(
      (d) => d.cell === from && d.sibling === to,
    )?.value;

  it('are those between the host nodes of the cells, in both directions, and 10 for a cell to itself', () => {
    const { distances } = planAndRewrite(domainOf([FIRST], guest), inOrder).plan.numa;
    expect(distances).toHaveLength(100);
    for (const { cell, sibling, value: found } of distances) expect(found).toBe(apart(cell, sibling));
  });

  it('between memory and the cells that are added are those of the policy, if it has one', () => {
    const { distances } = planAndRewrite(domainOf([FIRST], guest), inOrder, { initiatorDistance: 254 }).plan.numa;
    for (const { cell, sibling, value: found } of distances) {
      expect(found).toBe(cell < 2 === sibling < 2 ? apart(cell, sibling) : 254);
    }
    const unknown = hostOf(devices, [...sockets, ...initiators()], (a, b) => (a < 2 === b < 2 ? apart(a, b) : 0));
    expect(refusals(domainOf([FIRST], guest), unknown, { initiatorDistance: 254 })).toEqual([]);
    expect(refusals(domainOf([FIRST], guest), unknown)).not.toEqual([]);
  });

  it('follow the mapping from host nodes to cells', () => {
    const swapped = guest.replace(/nodeset='(\d)'/g, (_, node) => `nodeset='${1 - Number(node)}'`);
    expect(value(inOrder, 0, 2, swapped)).toBe(apart(1, 2));
  });

  it('of 10 between different nodes become 11', () => {
    const close = hostOf(devices, [...sockets, ...initiators(), ...initiators()], () => 10);
    expect([value(close, 2, 2), value(close, 2, 3), value(close, 0, 2)]).toEqual([10, 11, 11]);
  });

  it('that the domain has already stay', () => {
    const given = guest.replace(
      "memory='1024'/>",
      "memory='1024'><distances><sibling id='0' value='10'/><sibling id='1' value='77'/></distances></cell>",
    );
    const { plan, xml } = planAndRewrite(domainOf([FIRST], given), inOrder);
    expect(xml).toContain("<sibling id='1' value='77'/>");
    expect(value(inOrder, 0, 1, given)).toBeUndefined();
    expect(value(inOrder, 1, 0, given)).toBe(77);
    expect(plan.numa.distances).toHaveLength(98);
  });

  it('are at most 255, which means unreachable', () => {
    const far = (distance: number) =>
      hostOf(devices, [...sockets, ...initiators(), ...initiators()], (a, b) => (a === b ? 10 : distance));
    expect(value(far(255), 0, 2)).toBe(255);
    expect(refusals(domainOf([FIRST], guest), far(256)).map(({ code }) => code)).toEqual(['numa-distance-missing']);
    expect(refusals(domainOf([FIRST], guest), far(9)).map(({ code }) => code)).toEqual(['numa-distance-missing']);
  });

  it('leave out cells without memory that have no host node', () => {
    const { plan } = planAndRewrite(domainOf([FIRST], only.replace('</numa>', "<cell memory='0'/></numa>")), inOrder);
    expect(plan.devices[0]?.nodeset).toBe('2-9');
    expect(plan.numa.distances).toHaveLength(81);
    expect(plan.numa.distances.some(({ cell, sibling }) => cell === 1 || sibling === 1)).toBe(false);
  });
});

describe('a domain is refused', () => {
  const partly = hostOf(devices, [...sockets, ...initiators(FIRST), ...initiators()], apart);
  const few = hostOf(devices, [...sockets, ...initiators()], apart);
  const seven = hostOf(devices, [...sockets, ...initiators(FIRST, 7)], apart);
  const unknown = hostOf(devices, [...sockets, ...initiators(), ...initiators()], (a, b) =>
    a === 1 && b === 2 ? 0 : 20,
  );
  const crowd = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`000${i.toString(16)}:01:00.0`, grace]));
  const crowded = hostOf(crowd, [...sockets, ...Array.from({ length: 16 }, () => initiators()).flat()]);

  it.for<[string, Host, readonly string[], string, string]>([
    ['if the host links nodes to only some of the devices', partly, [FIRST, SECOND], guest, 'initiator-nodes-partial'],
    [
      'if the host links fewer nodes to a device than its platform has',
      seven,
      [FIRST],
      guest,
      'initiator-nodes-partial',
    ],
    ['if the host has too few nodes', few, [SECOND], guest, 'initiator-nodes-missing'],
    ['if the host has no such node', hostOf(devices, sockets), [FIRST], guest, 'initiator-nodes-missing'],
    [
      'if the host node of a cell with memory is unknown',
      inOrder,
      [FIRST],
      guest.replace("'1'/></numatune>", "'0-1'/></numatune>"),
      'numa-node-unknown',
    ],
    [
      'if two cells have the same host node',
      inOrder,
      [FIRST],
      guest.replace("nodeset='1'", "nodeset='0'"),
      'numa-node-shared',
    ],
    ['if the host does not report a distance', unknown, [FIRST], guest, 'numa-distance-missing'],
    [
      'if a cell is bound to a node that the host does not have',
      inOrder,
      [FIRST],
      only.replace("nodeset='0'", "nodeset='99'"),
      'numa-distance-missing',
    ],
    ['if it has more cells than QEMU supports', crowded, Object.keys(crowd), guest, 'numa-cells-exhausted'],
  ])('%s', ([, host, given, content, code]) => {
    expect([...new Set(refusals(domainOf(given, content), host).map((d) => d.code))]).toEqual([code]);
    expect(refusals(domainOf(given, content), host, { initiators: 'none' })).toEqual([]);
  });
});

describe('the cells of a guest', () => {
  it('give a warning if there are more than the 16 that usual kernels support', () => {
    const many = (cells: number) => {
      const list = Array.from({ length: cells - 8 }, (_, id) => `<cell id='${id}' memory='${id === 0 ? 1024 : 0}'/>`);
      const content = `<numatune><memory nodeset='0'/></numatune><cpu><numa>${list.join('')}</numa></cpu>`;
      return planAndRewrite(domainOf([FIRST], content), inOrder).diagnostics.map(({ code }) => code);
    };
    expect(many(16)).not.toContain('numa-cells-many');
    expect(many(17)).toContain('numa-cells-many');
  });

  it('are not planned if the host links nodes to only one of two devices; the message names both devices', () => {
    const partly = hostOf(devices, [...sockets, ...initiators(FIRST), ...initiators()], apart);
    const [refusal] = refusals(domainOf([FIRST, SECOND], guest), partly);
    expect(refusal?.message).toContain(FIRST);
    expect(refusal?.message).toContain(SECOND);
  });
});

describe('an <acpi nodeset>', () => {
  it('whose cells are missing is replaced, with new cells and distances', () => {
    const whole = planAndRewrite(domainOf([FIRST, SECOND], guest), inOrder);
    const stale = domainOf([FIRST, SECOND], guest).replace(/<\/source>/g, "</source><acpi nodeset='40-47'/>");
    const { plan, xml } = planAndRewrite(stale, inOrder);
    expect(plan.devices.map((d) => d.nodeset)).toEqual(['2-9', '10-17']);
    expect(plan.numa).toEqual(whole.plan.numa);
    expect(planAndRewrite(xml, inOrder).xml).toBe(xml);
  });

  it('that names a missing cell is refused for a device whose platform has no Generic Initiators', () => {
    const xml = domainOf([NIC], guest).replace('</source>', "</source><acpi nodeset='1-3'/>");
    expect(refusals(xml, inOrder).map(({ message }) => message)).toEqual([
      `the Generic Initiators of ${NIC} are in NUMA cells 2-3, which the guest does not have`,
    ]);
  });
});

describe('the plan needs all devices of the host', () => {
  it.for<[string, string, Host, boolean]>([
    ['for a device whose nodes are found by order', FIRST, inOrder, true],
    ['not for a device that the host links nodes to', FIRST, linked, false],
    ['not for a device whose platform has no Generic Initiators', NIC, inOrder, false],
  ])('%s', ([, bdf, host, needed]) => {
    expect(needsWholeHost(parseDomain(domainOf([bdf])).hostDevices, host, DEFAULT_POLICY)).toBe(needed);
  });

  it('for one such device among others', () => {
    const { hostDevices } = parseDomain(domainOf([NIC, FIRST]));
    expect(needsWholeHost(hostDevices, inOrder, DEFAULT_POLICY)).toBe(true);
  });
});
