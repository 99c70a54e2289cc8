import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { PciTree, ROOT_BUS } from '../../src/domain/pci-tree.js';
import { at, domainWith, expander, hostdev, port, rng } from '../plan/example.js';

describe('the root bus above a bus', () => {
  const tree = new PciTree(
    domainWith(
      expander(1, 250),
      port(2, at(1)),
      port(3, at(2)),
      port(4, at(5)),
      port(5, at(4)),
      port(6),
      port(7, at(6)),
    ),
  );

  it.each([
    ['is the expander bus itself', 1, 1],
    ['is the expander bus above a port', 2, 1],
    ['is the expander bus above a port behind a port', 3, 1],
    ['is pcie.0 for pcie.0', 0, 0],
    ['is pcie.0 for a port behind a port of pcie.0', 7, 0],
    ['is pcie.0 for controllers that are behind each other', 4, 0],
    ['is pcie.0 for a controller that the domain does not have', 9, 0],
  ])('%s', (_, bus, root) => expect(tree.rootOf(bus as ControllerIndex)).toBe(root));
});

describe('the PCI buses of a domain', () => {
  const bus = (index: number) => index as ControllerIndex;
  const switchPort = (index: number, kind: string, address: string) =>
    `<controller type='pci' index='${index}' model='pcie-switch-${kind}-port'>${address}</controller>`;
  const domain = domainWith(
    expander(2, 250),
    port(9, at(2, 1)),
    port(5, at(2)),
    switchPort(6, 'upstream', at(5)),
    switchPort(7, 'downstream', at(6)),
    port(1),
    hostdev(1, at(9)),
    rng(at(1, 0, 3)),
    hostdev(2, at(1, 0, 1)),
    rng(at(12)),
  );
  const tree = new PciTree(domain);
  const indexes = (of: readonly { readonly index: ControllerIndex }[]) => of.map(({ index }) => index);

  it('have controllers below each root bus, without the root buses', () => {
    expect(indexes(tree.busesBelow(bus(2)))).toEqual([9, 5, 6, 7]);
    expect(indexes(tree.busesBelow(ROOT_BUS))).toEqual([1]);
    expect(indexes(tree.expanders)).toEqual([2]);
  });

  it('have ports, and free ports by index', () => {
    expect(indexes(tree.ports(bus(2)))).toEqual([9, 5, 7]);
    expect(indexes(tree.freePorts(bus(2)))).toEqual([7]);
    expect(indexes(tree.freePorts(bus(2), new Set(domain.hostDevices)))).toEqual([7, 9]);
    expect(tree.freePorts(ROOT_BUS, new Set(domain.hostDevices))).toEqual([]);
  });

  it('have occupants, by slot and by function', () => {
    expect(tree.inSlot({ bus: bus(1), slot: 0 }).map(({ address }) => address.function)).toEqual([1, 3]);
    expect(tree.inSlot({ bus: bus(1), slot: 1 })).toEqual([]);
    expect([...tree.takenSlots(bus(2))].sort()).toEqual([0, 1]);
    expect(tree.occupants(bus(3))).toEqual([]);
  });

  it('have gaps up to the highest index that a controller has or an address names', () => {
    expect(tree.highestIndex).toBe(12);
    // 3, 4, 8, 10, 11 and 12.
    expect(tree.gaps).toBe(6);
    expect(new PciTree(domainWith(port(1), port(2))).gaps).toBe(0);
    expect(new PciTree(domainWith()).highestIndex).toBe(0);
  });
});
