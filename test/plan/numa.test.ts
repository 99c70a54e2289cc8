import { describe, expect, it } from 'vitest';
import { domainOf, hostOf, type NodeSpec, planAndRewrite } from './guest.js';

const GPU = '0000:01:00.0';
const NIC = '0001:01:00.0';
const twoSockets: NodeSpec[] = [{ cpus: '0-3' }, { cpus: '4-7' }];
const host = hostOf({ [GPU]: { node: 0 }, [NIC]: { node: 1 } }, twoSockets);

const cells = (count: number): string =>
  `<cpu><numa>${Array.from({ length: count }, (_, i) => `<cell id='${i}' cpus='${i}' memory='1024' unit='KiB'/>`).join('')}</numa></cpu>`;
const memnode = (cell: number, nodes: string): string => `<memnode cellid='${cell}' mode='strict' nodeset='${nodes}'/>`;
const tune = (content: string): string => `<numatune>${content}</numatune>`;
const pins = (...cpus: string[]): string =>
  `<cputune>${cpus.map((cpu, i) => `<vcpupin vcpu='${i}' cpuset='${cpu}'/>`).join('')}</cputune>`;

/** The cells of the two expander buses, by SMMU. */
const nodes = (content: string, given = host) =>
  planAndRewrite(domainOf([GPU, NIC], content), given).plan.expanderBuses.map(({ node }) => node);
const codes = (content: string, given = host) =>
  planAndRewrite(domainOf([GPU, NIC], content), given).diagnostics.map(({ code }) => code);

describe('an expander bus is put on', () => {
  it.for<[string, string, (number | null)[]]>([
    [
      'the cell that memnode binds to the node of its devices',
      cells(2) + tune(memnode(0, '0') + memnode(1, '1')),
      [0, 1],
    ],
    [
      'the cell that memnode binds to that node, whatever its id',
      cells(2) + tune(memnode(0, '1') + memnode(1, '0')),
      [1, 0],
    ],
    ['the only cell, if all memory is on that node', cells(1) + tune("<memory nodeset='1'/>"), [null, 0]],
    ['the cell whose vCPUs are pinned to the node', cells(2) + pins('0-3', '4,6'), [0, 1]],
    [
      'the cell that memnode binds to the node, although its vCPUs are pinned elsewhere',
      cells(2) + pins('0', '4') + tune(memnode(0, '1') + memnode(1, '0')),
      [1, 0],
    ],
    [
      'the pinned cell, if the memory may be on any node',
      cells(2) + pins('0', '4') + tune("<memory nodeset='0-1'/>"),
      [0, 1],
    ],
    ['the cell whose node has the cpuset of all vCPUs', `${cells(1)}<vcpu cpuset='5-6'>1</vcpu>`, [null, 0]],
    ['no cell, if the guest has none', '', [null, null]],
    ['no cell, if nothing binds the cells to nodes', cells(2), [null, null]],
    [
      'the pinned cell, if memnode names several nodes',
      cells(2) + pins('0', '4') + tune(memnode(0, '0-1') + memnode(1, '0,1')),
      [0, 1],
    ],
    [
      'the pinned cell, if all memory is on one node',
      cells(2) + pins('0', '4') + tune("<memory nodeset='0'/>"),
      [0, 1],
    ],
    ['no cell, if vCPUs are pinned to CPUs of two nodes', cells(1) + pins('3-4'), [null, null]],
    [
      'no cell, if only some vCPUs are pinned',
      `<cpu><numa><cell cpus='0-1' memory='1'/></numa></cpu>${pins('0')}`,
      [null, null],
    ],
    ['no cell, if two cells are on that node', cells(2) + tune("<memory nodeset='0'/>"), [null, null]],
  ])('%s', ([, content, wanted]) => {
    expect(nodes(content)).toEqual(wanted);
  });

  it('no cell, with a warning, if no cell of the guest is on the node of its devices', () => {
    expect(codes(cells(1) + tune(memnode(0, '1')))).toContain('numa-cell-unknown');
    expect(codes('')).not.toContain('numa-cell-unknown');
  });

  it('the cell of the node of its SMMU if its devices have no node', () => {
    const given = hostOf({ [GPU]: { node: null }, [NIC]: { node: null } }, twoSockets);
    const named = hostOf({ [GPU]: {}, [NIC]: {} }, twoSockets);
    for (const [i, smmu] of named.topology.smmus.entries()) Object.assign(smmu, { node: 1 - i });
    const content = cells(2) + tune(memnode(0, '0') + memnode(1, '1'));
    expect(nodes(content, named)).toEqual([1, 0]);
    expect(nodes(content, given)).toEqual([null, null]);
    expect(codes(content, given)).toContain('numa-cell-unknown');
  });

  it('the cell of the node of its own devices, whatever other devices are behind their SMMU', () => {
    const [first] = host.smmus;
    const shared = hostOf({ [GPU]: { node: 0 }, [NIC]: { node: 1, smmu: first?.name ?? null } }, twoSockets);
    const content = cells(2) + tune(memnode(0, '0') + memnode(1, '1'));
    const nodeOf = (bdf: string) =>
      planAndRewrite(domainOf([bdf], content), shared).plan.expanderBuses.map((b) => b.node);
    expect([nodeOf(GPU), nodeOf(NIC)]).toEqual([[0], [1]]);
    const both = planAndRewrite(domainOf([GPU, NIC], content), shared);
    expect(both.plan.expanderBuses.map((each) => each.node)).toEqual([null]);
    expect(both.diagnostics.map(({ code }) => code)).toContain('numa-cell-unknown');
  });

  it('no cell, without a warning, if the host has no NUMA nodes', () => {
    const flat = hostOf({ [GPU]: { node: null }, [NIC]: { node: null } }, []);
    expect(nodes(cells(2), flat)).toEqual([null, null]);
    expect(codes(cells(2), flat)).not.toContain('numa-cell-unknown');
  });

  it('no cell of a Generic Initiator, because it has no memory', () => {
    const content = `<cpu><numa><cell id='0' cpus='0' memory='1'/><cell id='1' memory='0'/></numa></cpu>`;
    expect(nodes(content + tune("<memory nodeset='1'/>"))).toEqual([null, 0]);
  });

  it('the first cell, if the host has one node with CPUs', () => {
    const sole: NodeSpec[] = [{ cpus: '0-7' }, { cpus: '' }];
    const given = hostOf({ [GPU]: { node: null }, [NIC]: { node: 0 } }, sole);
    expect(nodes(cells(2), given)).toEqual([0, 0]);
    expect(codes(cells(2), given)).not.toContain('numa-cell-unknown');
  });
});

describe('an existing expander bus', () => {
  const content = cells(2) + tune(memnode(0, '0') + memnode(1, '1'));
  const first = planAndRewrite(domainOf([GPU, NIC], content), host).xml;

  it('keeps its cell', () => {
    expect(planAndRewrite(first, host).xml).toBe(first);
  });

  it('gets its cell if it has none, and nothing else changes', () => {
    const without = first.replace(/<target busNr='247'>\s*<node>1<\/node>\s*<\/target>/, "<target busNr='247'/>");
    const { plan, xml } = planAndRewrite(without, host);
    expect(plan.expanderBuses.map(({ node, nodeBefore }) => [node, nodeBefore])).toEqual([
      [0, 0],
      [1, null],
    ]);
    expect(xml).toBe(first);
  });

  it('keeps a cell that differs from the one that it would get, with a warning', () => {
    const other = first.replace('<node>1</node>', '<node>0</node>');
    const { xml, diagnostics } = planAndRewrite(other, host);
    expect(xml).toBe(other);
    expect(diagnostics.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['warning numa-cell-differs']);
  });
});

describe('numa: "create"', () => {
  const size = "<memory unit='GiB'>4</memory><vcpu>8</vcpu>";
  const bound = tune("<memory mode='strict' nodeset='1'/>");

  it.for([
    ['to a <cpu> without <numa>', "<cpu mode='host-passthrough' check='none'/>", 'numa'],
    ['in a new <cpu>', '', 'cpu'],
    ['to an empty <numa>', '<cpu><numa/></cpu>', 'cell'],
  ] as const)('adds a cell with all CPUs and memory %s', ([, cpu, outermost]) => {
    const { plan, xml } = planAndRewrite(domainOf([GPU, NIC], size + bound + cpu), host, { numa: 'create' });
    expect(plan.numa.created).toEqual({ cell: 0, cpus: '0-7', memory: 4 * 2 ** 20, outermost });
    expect(plan.expanderBuses.map(({ node }) => node)).toEqual([null, 0]);
    expect(xml).toContain("<cell id='0' cpus='0-7' memory='4194304' unit='KiB'/>");
    expect(planAndRewrite(xml, host, { numa: 'create' }).xml).toBe(xml);
  });

  it('does not change a guest that has cells', () => {
    expect(
      planAndRewrite(domainOf([GPU], size + bound + cells(1)), host, { numa: 'create' }).plan.numa.created,
    ).toBeNull();
  });

  it('does not change a guest that gets no expander bus', () => {
    const xml = domainOf([GPU], size + bound);
    expect(planAndRewrite(xml, host, { numa: 'create', bypass: [GPU as never] }).xml).toBe(xml);
  });
});
