import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { assignBusNumbers, freeBusNumbersOf, type RootDemand, type WindowRequest } from '../../src/plan/bus-numbers.js';
import { at, domainWith, expander, port } from './example.js';

const fresh = (needed: number): WindowRequest => ({ controllerIndex: undefined, consumer: 'an expander bus', needed });

const kept = (index: number, needed: number): WindowRequest => ({
  controllerIndex: index as ControllerIndex,
  consumer: `the expander bus ${index}`,
  needed,
});

function assign(requests: readonly WindowRequest[], devices: readonly string[] = [], buses = 0, libvirt = 0) {
  return assignIn(new PciTree(domainWith(...devices)), requests, { buses, addedByLibvirt: libvirt });
}

/** Assigns bus numbers; the windows are in the order of the requests. */
function assignIn(tree: PciTree, requests: readonly WindowRequest[], root: RootDemand, window?: number | 'auto') {
  const numbers = assignBusNumbers(tree, requests, root, window);
  return { ...numbers, windows: requests.map((request) => numbers.windows.get(request)) };
}

type BusNumbers = ReturnType<typeof assignIn>;

const nthOf = (count: number, size: number) => Array.from({ length: count }, (_, i) => 256 - (count - i) * size);
const first = ({ windows }: BusNumbers) => windows.map((w) => w?.busNr);
const codes = ({ diagnostics }: BusNumbers) => diagnostics.map((d) => d.code);
const repeat = (count: number, request: WindowRequest) => Array.from({ length: count }, () => ({ ...request }));

describe('new expander buses', () => {
  it.each([
    ['one with a port gets the two highest numbers', [fresh(2)], [254]],
    ['one without a port starts at 254, the highest busNr', [fresh(1)], [254]],
    ['the last one has the highest numbers', [fresh(3), fresh(2), fresh(4)], [247, 250, 252]],
    ['sixteen with a port each', repeat(16, fresh(2)), Array.from({ length: 16 }, (_, i) => 224 + 2 * i)],
  ])('%s', (_title, requests, numbers) => {
    const assigned = assign(requests);
    expect(first(assigned)).toEqual(numbers);
    expect(codes(assigned)).toEqual([]);
  });

  it.each<[title: string, requests: WindowRequest[], window: number | 'auto', numbers: number[]]>([
    ['have the requested window', repeat(3, fresh(2)), 9, [229, 238, 247]],
    ['have what they need if the window is smaller', [fresh(5)], 2, [251]],
    ['have a window of nine by default', repeat(3, fresh(2)), 'auto', [229, 238, 247]],
    ['have what they need by default if that is more', [fresh(12), fresh(2)], 'auto', [235, 247]],
    ['have smaller windows by default if nine do not fit', repeat(30, fresh(2)), 'auto', nthOf(30, 8)],
    ['have what they need by default if no more fits', repeat(124, fresh(2)), 'auto', nthOf(124, 2)],
  ])('%s', (_title, requests, window, numbers) => {
    const { windows, fits } = assignIn(new PciTree(domainWith()), requests, { buses: 0, addedByLibvirt: 0 }, window);
    expect(windows.map((each) => each?.busNr)).toEqual(numbers);
    expect(fits).toBe(true);
  });

  it('leave the numbers above an existing expander bus to that one', () => {
    const tree = new PciTree(domainWith(expander(1, 200), port(2, at(1)), expander(3, 254)));
    const { windows } = assignIn(tree, [kept(1, 2), fresh(2)], { buses: 0, addedByLibvirt: 0 }, 'auto');
    expect(windows).toEqual([
      { busNr: 200, count: 9 },
      { busNr: 245, count: 9 },
    ]);
  });

  it.each([
    ['below an existing one', [expander(9, 254)], [252]],
    ['above two existing ones, if there is room', [expander(8, 100), expander(9, 200)], [254]],
    ['below two existing ones that leave one number free', [expander(8, 252), expander(9, 255 - 1)], [250]],
    [
      'in a gap of the right size',
      [expander(7, 249), expander(8, 252), port(10, at(8)), expander(9, 254), port(11, at(9))],
      [250],
    ],
  ])('go %s', (_title, devices, numbers) => {
    const assigned = assign([fresh(2)], devices);
    expect(first(assigned)).toEqual(numbers);
    expect(codes(assigned)).toEqual([]);
  });
});

describe('the number of buses of pcie.0, below the lowest expander bus,', () => {
  // 256 = 1 for pcie.0, 4 in reserve, 200 for an expander bus, and 51 more.
  it.each([
    ['may use the last free number', 51, 0, true],
    ['may not exceed the free numbers by one', 52, 0, false],
    ['includes the ports that libvirt adds', 26, 25, true],
    ['includes the last port that libvirt adds', 26, 26, false],
  ])('%s', (_title, buses, libvirt, fits) => {
    expect(assign([fresh(200)], [], buses, libvirt).fits).toBe(fits);
  });

  it('needs no reserve if no expander bus is new', () => {
    expect(assign([kept(1, 1)], [expander(1, 20)], 19).fits).toBe(true);
    expect(assign([kept(1, 1)], [expander(1, 20)], 20).fits).toBe(false);
  });

  it('is reported with the count of each consumer', () => {
    const { ledger } = assign([fresh(100), fresh(100), fresh(100)], [], 5, 3);
    expect(ledger.map(({ consumer, count }) => `${count} ${consumer}`)).toEqual([
      '1 pcie.0 itself',
      '5 ports and expander buses below pcie.0',
      '3 root ports that libvirt will add',
      '4 in reserve',
      '100 an expander bus',
      '100 an expander bus',
      '100 an expander bus',
    ]);
  });
});

describe('an existing expander bus', () => {
  it('keeps its number', () => {
    const assigned = assign([kept(1, 2), fresh(2)], [expander(1, 100), port(2, at(1))]);
    expect(first(assigned)).toEqual([100, 254]);
  });

  it.each([
    ['may grow up to the next expander bus', [expander(1, 100), expander(2, 102)], 2, []],
    ['may not grow beyond the next expander bus', [expander(1, 100), expander(2, 102)], 3, ['bus-window-too-small']],
    ['may grow up to 255', [expander(1, 254)], 2, []],
    ['may not grow beyond 255', [expander(1, 254)], 3, ['bus-window-too-small']],
    [
      'may not grow if another one has its number',
      [expander(1, 100), expander(2, 100)],
      1,
      ['bus-window-too-small', 'bus-window-too-small'],
    ],
  ])('%s', (_title, devices, needed, expected) => {
    expect(codes(assign([kept(1, needed)], devices))).toEqual(expected);
  });

  it('may not exceed its window even if the plan does not use it', () => {
    expect(codes(assign([], [expander(1, 254), port(2, at(1)), port(3, at(1, 1))]))).toEqual(['bus-window-too-small']);
  });
});

describe('an expander bus without a number', () => {
  it('will get the lowest number minus 2 from libvirt, after the new ones have numbers', () => {
    const assigned = assign([kept(1, 2), fresh(4), kept(2, 1)], [expander(2, undefined), expander(1, undefined)]);
    expect(first(assigned)).toEqual([250, 252, 248]);
    expect(codes(assigned)).toEqual([]);
  });

  it('has no room for two ports', () => {
    expect(codes(assign([kept(1, 3)], [expander(1, undefined)]))).toEqual(['bus-window-too-small']);
  });

  it('gets no number below 1', () => {
    const lowest = (busNr: number) => assign([kept(2, 1)], [expander(1, busNr), expander(2, undefined)]);
    expect(lowest(3).windows).toEqual([{ busNr: 1, count: 2 }]);
    expect(lowest(2).windows).toEqual([undefined]);
    expect(lowest(2).fits).toBe(false);
  });
});

describe('the room of an expander bus for ports', () => {
  it.each([
    ['ends at the next expander bus', [expander(1, 100), expander(2, 110), expander(3, 90)], 9],
    ['ends at 255', [expander(1, 250)], 5],
    ['is reduced by the ports that the expander bus has', [expander(1, 250), port(2, at(1)), port(3, at(1, 1))], 3],
    ['is zero if its ports need more than it has', [expander(1, 254), port(2, at(1)), port(3, at(1, 1))], 0],
    ['is one port if the expander bus has no number', [expander(1, undefined)], 1],
    ['is zero if the expander bus has no number and already has a port', [expander(1, undefined), port(2, at(1))], 0],
  ])('%s', (_title, devices, room) => {
    const tree = new PciTree(domainWith(...devices));
    const [controller] = tree.expanders;
    expect(controller && freeBusNumbersOf(controller, tree)).toBe(room);
  });
});
