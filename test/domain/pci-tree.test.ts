import { describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { at, domainWith, expander, port } from '../plan/example.js';

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
