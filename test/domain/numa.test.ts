import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { cellId, formatNodeset, isInitiator, numaParent, parseNodeset, withoutCells } from '../../src/domain/numa.js';

const numaOf = (content: string) => parseDomain(`<domain type='kvm'>${content}</domain>`).numa;

describe('a list of nodes or CPUs', () => {
  it.for([
    ['0', [0]],
    ['0-3,8', [0, 1, 2, 3, 8]],
    ['0-3,^2', [0, 1, 3]],
    ['8, 1 - 2', [1, 2, 8]],
    ['65535', [65535]],
  ] as const)('%s is %j', ([text, numbers]) => {
    expect(parseNodeset(text)).toEqual(numbers);
  });

  it.for(['', '3-1', 'a', '0,,1', '-1', '0-65536', '0-99999'])('%j is not a list', (text) => {
    expect(parseNodeset(text)).toBeUndefined();
  });

  it('is the same after formatting and parsing', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1 }), (numbers) => {
        expect(parseNodeset(formatNodeset(numbers))).toEqual(numbers.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe('the NUMA cells of a domain', () => {
  it('have their position as the default id, and their memory in KiB', () => {
    const { cells } = numaOf(
      "<cpu><numa><cell cpus='0-1' memory='1' unit='GiB'/><cell memory='0'/><cell id='2' cpus='2' memory='5'/></numa></cpu>",
    );
    expect(cells.map(({ id, cpus, memory }) => [id, cpus, memory])).toEqual([
      [0, [0, 1], 2 ** 20],
      [1, [], 0],
      [2, [2], 5],
    ]);
  });

  it('have distances to others', () => {
    const { cells } = numaOf(
      "<cpu><numa><cell memory='1'><distances><sibling id='0' value='10'/><sibling id='1' value='40'/></distances></cell></numa></cpu>",
    );
    expect([...(cells[0]?.distances ?? [])]).toEqual([
      [0, 10],
      [1, 40],
    ]);
  });

  it('are in the order of their ids; without a size, they have no memory', () => {
    const { cells, memory, vcpus, nodeset } = numaOf(
      "<cpu><numa><cell id='1' cpus='0'/><cell id='0' memory='4'/><cell id='2'/></numa></cpu>",
    );
    expect(cells.map((cell) => [cell.id, cell.memory, isInitiator(cell)])).toEqual([
      [0, 4, false],
      [1, 0, false],
      [2, 0, true],
    ]);
    expect({ memory, vcpus, nodeset }).toEqual({ memory: 0, vcpus: 1, nodeset: undefined });
  });

  it('are in the first <cpu> with <numa>, or are added to the first <cpu>', () => {
    const modeOf = (content: string) =>
      numaParent(parseDomain(`<domain>${content}</domain>`).document.root)?.attribute('mode');
    expect(['', "<cpu mode='a'/>", "<cpu mode='a'/><cpu mode='b'><numa/></cpu>"].map(modeOf)).toEqual([
      undefined,
      'a',
      'b',
    ]);
  });

  it('have one vCPU in total if <vcpu> is not an integer', () => {
    expect(['<vcpu/>', '<vcpu> 3 </vcpu>', '<vcpu>2.5</vcpu>', '<vcpu>x</vcpu>'].map((x) => numaOf(x).vcpus)).toEqual([
      1, 3, 1, 1,
    ]);
  });

  it('can be left out, with the distances to them', () => {
    const sibling = (id: number) => `<sibling id='${id}' value='20'/>`;
    const numa = numaOf(
      `<cpu><numa><cell id='0' memory='1'><distances>${sibling(0)}${sibling(1)}</distances></cell><cell id='1' memory='1'/></numa></cpu>`,
    );
    const { cells } = withoutCells(numa, [cellId(1)]);
    expect(cells.map(({ id, distances }) => [id, [...distances.keys()]])).toEqual([[0, [0]]]);
  });

  it('are bound by numatune and pinned by cputune, or by the cpuset for vCPUs without a pin', () => {
    const numa = numaOf(`<vcpu cpuset='4-7'>4</vcpu><memory unit='MiB'>2</memory>
      <cputune><vcpupin vcpu='1' cpuset='2'/></cputune>
      <numatune><memory nodeset='0-1'/><memnode cellid='1' mode='strict' nodeset='1'/></numatune>`);
    expect(numa.nodeset).toEqual([0, 1]);
    expect([...numa.memnodes]).toEqual([[1, [1]]]);
    expect([numa.pinning(0), numa.pinning(1)]).toEqual([[4, 5, 6, 7], [2]]);
    expect([numa.vcpus, numa.memory]).toEqual([4, 2048]);
  });

  it.for([
    ["<cpu><numa><cell id='x' memory='1'/></numa></cpu>", "id='x' of <cell> is not a number"],
    ["<cpu><numa><cell cpus='3-1' memory='1'/></numa></cpu>", "cpus='3-1' of <cell> is not a list of numbers"],
    ["<numatune><memory nodeset='all'/></numatune>", "nodeset='all' of <memory> is not a list of numbers"],
    ["<cpu><numa><cell memory='1' unit='acre'/></numa></cpu>", "memory='1 acre' of <cell> is not a size"],
  ] as const)('%s is refused', ([content, message]) => {
    expect(() => numaOf(content)).toThrow(message);
  });
});

describe('pcihole64', () => {
  const holeOf = (content: string) =>
    parseDomain(`<domain><devices><controller type='pci' model='pcie-root'>${content}</controller></devices></domain>`)
      .pciHole64;

  it.for([
    ["<pcihole64 unit='GiB'>512</pcihole64>", 2 ** 29],
    ['<pcihole64>1048576</pcihole64>', 2 ** 20],
    ["<pcihole64 unit='KiB'>0</pcihole64>", 0],
    ['', undefined],
  ] as const)('%s is %i KiB', ([content, size]) => {
    expect(holeOf(content)?.size).toBe(size);
  });

  it('that is not a size is refused', () => {
    expect(() => holeOf('<pcihole64>much</pcihole64>')).toThrow("<pcihole64> 'much' is not a size");
  });
});
