import { describe, expect, it } from 'vitest';
import { parseNodeset } from '../../src/domain/numa.js';
import type { Bar } from '../../src/generated/topology.js';
import { bdfOfName, parseBars } from '../../src/host/pci.js';

const fail = (): never => {
  throw new Error('not a line of resources');
};
const EMPTY = '0x0000000000000000 0x0000000000000000 0x0000000000000000';

describe('the resources of a device', () => {
  it.each<[title: string, line: string, bar: Omit<Bar, 'index'> | undefined]>([
    ['an empty line', EMPTY, undefined],
    [
      '32-bit memory',
      '0x0000000010040000 0x000000001005ffff 0x0000000000040200',
      { size: 0x20000, kind: 'memory', bits: 32, prefetchable: false },
    ],
    [
      '64-bit memory',
      '0x0000000010848000 0x000000001084bfff 0x0000000000140204',
      { size: 0x4000, kind: 'memory', bits: 64, prefetchable: false },
    ],
    [
      '64-bit prefetchable memory above 4 GiB',
      '0x0000662000000000 0x0000663fffffffff 0x000000000014220c',
      { size: 128 * 2 ** 30, kind: 'memory', bits: 64, prefetchable: true },
    ],
    [
      'I/O ports, whose low bits mean something else',
      '0x0000000000003000 0x000000000000301f 0x000000000004010d',
      { size: 32, kind: 'io', bits: 32, prefetchable: false },
    ],
    [
      'memory without an address',
      '0x0000000000000000 0x0000000fffffffff 0x000000002014220c',
      { size: 64 * 2 ** 30, kind: 'memory', bits: 64, prefetchable: true },
    ],
    ['memory that ends before it begins', '0x0000000000001000 0x0000000000000fff 0x0000000000040200', undefined],
    [
      'one I/O port',
      '0x0000000000003000 0x0000000000003000 0x0000000000040101',
      { size: 1, kind: 'io', bits: 32, prefetchable: false },
    ],
    [
      'a resource that is neither memory nor I/O',
      '0x0000000000001000 0x0000000000001fff 0x0000000000000400',
      undefined,
    ],
  ])('have %s', (_, line, bar) => {
    expect(parseBars(`${EMPTY}\n${line}\n${EMPTY}`, fail)).toEqual(bar ? [{ index: 1, ...bar }] : []);
  });

  it('end with the sixth BAR: the ROM and the windows of virtual functions are not BARs', () => {
    const rom = '0x0000000011640000 0x000000001167ffff 0x0000000000046200';
    expect(parseBars([...Array(6).fill(EMPTY), rom].join('\n'), fail)).toEqual([]);
  });

  it.each(['BAR 0', '0x1 0x2', '0x0 zero 0x200'])('are not %s', (line) => {
    expect(() => parseBars(line, fail)).toThrow('not a line of resources');
  });
});

describe('a name in sysfs', () => {
  it.each(['0000:11:00.0', '000f:01:1f.7', '10000:e1:00.0'])('is the address %s', (name) => {
    expect(bdfOfName(name)).toBe(name);
  });

  it.each(['pci0000:00', '11:00.0', '0000:11:00.8', '0000:11:20.0', '000F:11:00.0', '00000:11:00.0', 'NVDA200C:00'])(
    'is not an address: %s',
    (name) => expect(bdfOfName(name)).toBeUndefined(),
  );
});

describe('a list of numbers from the kernel', () => {
  it.each<[text: string, numbers: number[]]>([
    ['0', [0]],
    ['0-3', [0, 1, 2, 3]],
    ['0,2-3,33', [0, 2, 3, 33]],
  ])('%s means %j', (text, numbers) => {
    expect(parseNodeset(text)).toEqual(numbers);
  });
});
