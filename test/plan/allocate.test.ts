import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { PciTree, ROOT_BUS } from '../../src/domain/pci-tree.js';
import { Allocator } from '../../src/plan/allocate.js';
import { at, domainWith, expander, hostdev, port, rng } from './example.js';

function allocator(...devices: string[]): Allocator {
  const domain = domainWith(...devices);
  return new Allocator(domain, new PciTree(domain));
}

describe('a controller index', () => {
  it.each([
    ['is 1 in a domain without controllers', [], 1],
    ['follows the highest index', [port(1), port(7)], 8],
    ['follows the highest bus in use', [port(1), rng(at(9))], 10],
    ['does not fill a gap below it', [port(1), port(3)], 4],
  ])('%s', (_title, devices, index) => {
    const give = allocator(...devices);
    expect([give.allocateIndex(), give.allocateIndex()]).toEqual([index, index + 1]);
  });
});

describe('a slot', () => {
  it('is the lowest free one; slot 0 of pcie.0 is never used', () => {
    const give = allocator(port(1, at(0, 1)), rng(at(0, 3)), expander(5, 200), hostdev(1, at(5, 0)));
    expect([give.allocateSlot(ROOT_BUS), give.allocateSlot(ROOT_BUS), give.allocateSlot(ROOT_BUS)]).toEqual([2, 4, 6]);
    expect([give.allocateSlot(5 as ControllerIndex), give.allocateSlot(6 as ControllerIndex)]).toEqual([1, 0]);
  });
});

describe('root ports', () => {
  it('are packed eight per slot, and function 0 has multifunction="on"', () => {
    const places = allocator(port(1, at(0, 1))).packedRootSlots(9);
    const written = places.map(({ address, multifunction }) => {
      return `${address.slot}.${address.function}${multifunction ? ' multifunction' : ''}`;
    });
    expect(written).toEqual(['2.0 multifunction', '2.1', '2.2', '2.3', '2.4', '2.5', '2.6', '2.7', '3.0']);
  });
});

describe('a chassis', () => {
  const chassisOf = (index: number, ...devices: string[]) =>
    allocator(...devices).allocateChassis(index as ControllerIndex);

  it.each([
    ['is the index', 4, [port(1), port(2), port(3)], 4],
    ['is not the index if a port has that number already', 4, [port(1, at(0, 1), 4), port(2), port(3)], 255],
    [
      'is the highest free number up to 255 if a port has that number already',
      4,
      [port(1, at(0, 1), 4), port(2, at(0, 2), 255)],
      254,
    ],
  ])('%s', (_title, index, devices, chassis) => {
    expect(chassisOf(index, ...devices)).toBe(chassis);
  });

  it('is not the index of a port without a chassis, because libvirt will use that index as its chassis', () => {
    const bare = `<controller type='pci' index='2' model='pcie-root-port'/>`;
    expect(chassisOf(2, port(1), bare)).toBe(255);
  });

  it('is assigned once', () => {
    const give = allocator();
    expect([give.allocateChassis(1 as ControllerIndex), give.allocateChassis(1 as ControllerIndex)]).toEqual([1, 255]);
  });
});
