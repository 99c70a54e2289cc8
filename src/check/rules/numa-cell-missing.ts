import { numaCellMissing as diagnostic } from '../../diagnostics/numa.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: `Illegal numa node 5`; libvirt 12.8 refuses to define such a domain. */
export const numaCellMissing: Rule = ({ domain, location }) => {
  const cells = new Set(domain.numa.cells.map(({ id }) => id));
  return domain.controllers.flatMap(({ index, node, element }) =>
    node === undefined || cells.has(node)
      ? []
      : [diagnostic({ controller: index, cell: node, location: location(element, 'target') })],
  );
};
